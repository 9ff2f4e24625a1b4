// Rejects a call when the user taps "Decline" in a notification or CallKit while the app is closed: docs/clients.md.
// Requires iOS 15.

import CallKit
import Foundation
import UIKit
import UserNotifications
import os

let urlAsync = URL(string: "https://a1b2c3d4e5.execute-api.eu-central-1.amazonaws.com/call-reject/async")!

struct CallRejectRequest: Encodable {
    let callId: String
    /// "decline" or "busy".
    var reason = "decline"
    /// The Unix time in seconds when the invitation stops ringing.
    let expiresAt: Int

    enum CodingKeys: String, CodingKey {
        case callId = "CallId"
        case reason = "Reason"
        case expiresAt = "ExpiresAt"
    }
}

private struct Problem: Decodable {
    let type: String?
    let message: String?
    let retryable: Bool?
}

/// Makes a redirect the response to the request.
private final class RedirectRefuser: NSObject, URLSessionTaskDelegate {
    func urlSession(
        _ session: URLSession, task: URLSessionTask, willPerformHTTPRedirection response: HTTPURLResponse,
        newRequest request: URLRequest
    ) async -> URLRequest? {
        nil
    }
}

/// Rejects a call and returns true if it is rejected, queued or already over.
///
/// - Parameters:
///   - url: CallRejectUrl, or CallRejectAsyncUrl to get a response before the call is rejected.
///   - token: returns a valid token of the user; called before each attempt.
///   - request: the request; no retry starts after its `expiresAt`.
func callReject(_ url: URL, token: () async throws -> String, request: CallRejectRequest) async -> Bool {
    let log = Logger(subsystem: "com.example.calls", category: "CallReject")
    var pause = 1.0
    while true {
        var wait = pause
        do {
            var post = URLRequest(url: url, timeoutInterval: 30)
            post.httpMethod = "POST"
            let bearer = try await token()
            post.setValue("Bearer \(bearer)", forHTTPHeaderField: "Authorization")
            post.setValue("application/json", forHTTPHeaderField: "Content-Type")
            post.httpBody = try JSONEncoder().encode(request)
            let (body, response) = try await URLSession.shared.data(for: post, delegate: RedirectRefuser())
            guard let answer = response as? HTTPURLResponse else { return false }
            let status = answer.statusCode
            if [200, 202, 409].contains(status) { return true }
            let problem = try? JSONDecoder().decode(Problem.self, from: body)
            log.error("\(status) \(problem?.type ?? problem?.message ?? "", privacy: .public)")
            guard problem?.retryable ?? (status == 429 || status >= 500) else { return false }
            wait = answer.value(forHTTPHeaderField: "Retry-After").flatMap(Double.init) ?? pause
        } catch {
            log.warning("no response, or no token: \(error.localizedDescription)")
        }
        if Date().timeIntervalSince1970 + wait >= Double(request.expiresAt) { return false }
        do { try await Task.sleep(nanoseconds: UInt64(wait * 1_000_000_000)) } catch { return false }  // cancelled
        pause = min(pause * 2, 30)
    }
}

/// Background time that iOS grants to finish a task. The app must end it when the task is complete.
@MainActor
private final class BackgroundTime {
    private var id = UIBackgroundTaskIdentifier.invalid

    init(expired: @escaping @Sendable () -> Void) {
        id = UIApplication.shared.beginBackgroundTask(withName: "decline") {
            expired()
            self.end()
        }
    }

    func end() {
        UIApplication.shared.endBackgroundTask(id)
        id = .invalid
    }
}

@MainActor
func decline(callId: String, expiresAt: Int) async {
    let request = CallRejectRequest(callId: callId, expiresAt: expiresAt)
    let rejecting = Task { await callReject(urlAsync, token: freshToken, request: request) }
    let time = BackgroundTime { rejecting.cancel() }
    _ = await rejecting.value
    time.end()
}

/// Get it from the SDK of your issuer. With Firebase: try await Auth.auth().currentUser!.getIDToken()
func freshToken() async throws -> String {
    fatalError("return a valid token of the user")
}

/// The delegate of the app's CXProvider. Add to `ringing` where you report the incoming call.
final class Calls: NSObject, CXProviderDelegate {
    var ringing: [UUID: (callId: String, expiresAt: Int)] = [:]

    func provider(_ provider: CXProvider, perform action: CXEndCallAction) {
        if let call = ringing.removeValue(forKey: action.callUUID) {
            Task { await decline(callId: call.callId, expiresAt: call.expiresAt) }
        }
        action.fulfill()
    }

    func provider(_ provider: CXProvider, perform action: CXAnswerCallAction) {
        ringing[action.callUUID] = nil  // Ending an answered call is not a rejection.
        action.fulfill()
    }

    func providerDidReset(_ provider: CXProvider) {
        ringing.removeAll()
    }
}

/// Without CallKit: handles a notification whose category has an action with the identifier "decline".
final class Notifications: NSObject, UNUserNotificationCenterDelegate {
    func userNotificationCenter(
        _ center: UNUserNotificationCenter, didReceive response: UNNotificationResponse
    ) async {
        let content = response.notification.request.content.userInfo
        guard response.actionIdentifier == "decline",
            let callId = content["CallId"] as? String,
            let expiresAt = content["ExpiresAt"] as? Int
        else { return }
        await decline(callId: callId, expiresAt: expiresAt)
    }
}
