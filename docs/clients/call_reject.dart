// Rejects a call when the user taps "Decline" in a notification while the app is closed. See docs/clients.md.
// Requires package:http and package:flutter_local_notifications, and on Android, in <application> of the manifest:
// <receiver android:exported="false" android:name="com.dexterous.flutterlocalnotifications.ActionBroadcastReceiver" />

import 'dart:convert';
import 'dart:math';
import 'dart:ui';

import 'package:flutter/foundation.dart';
import 'package:flutter_local_notifications/flutter_local_notifications.dart';
import 'package:http/http.dart' as http;

final urlAsync = Uri.parse('https://a1b2c3d4e5.execute-api.eu-central-1.amazonaws.com/call-reject/async');

/// Rejects a call and returns true if it is rejected, queued or already over.
///
/// [url] is CallRejectUrl, or CallRejectAsyncUrl to get a response before the call is rejected. [token] returns a valid
/// token of the user and is called before each attempt. [expiresAt] is the Unix time in seconds when the invitation stops
/// ringing. No retry starts later. [reason] is 'decline' or 'busy'.
Future<bool> callReject(
  Uri url,
  Future<String> Function() token,
  String callId,
  int expiresAt, {
  String reason = 'decline',
}) async {
  final request = jsonEncode({'CallId': callId, 'Reason': reason, 'ExpiresAt': expiresAt});
  for (var pause = 1; ; pause = min(pause * 2, 30)) {
    var wait = pause;
    try {
      final post = http.Request('POST', url)
        ..followRedirects = false
        ..headers.addAll({'Authorization': 'Bearer ${await token()}', 'Content-Type': 'application/json'})
        ..body = request;
      final answer = await post.send().then(http.Response.fromStream).timeout(const Duration(seconds: 30));
      final status = answer.statusCode;
      if (const {200, 202, 409}.contains(status)) return true;
      final problem = _problem(answer.body);
      debugPrint('CallReject: $status ${problem['type'] ?? problem['message']}');
      final retryable = problem['retryable'] ?? (status == 429 || status >= 500);
      if (retryable != true) return false;
      wait = int.tryParse(answer.headers['retry-after'] ?? '') ?? pause;
    } on Exception catch (error) {
      debugPrint('CallReject: no response, or no token: $error');
    }
    if (DateTime.now().millisecondsSinceEpoch / 1000 + wait >= expiresAt) return false;
    await Future<void>.delayed(Duration(seconds: wait));
  }
}

Map<String, dynamic> _problem(String body) {
  try {
    final decoded = jsonDecode(body);
    return decoded is Map<String, dynamic> ? decoded : {};
  } on FormatException {
    return {};
  }
}

/// An action of the notification that your FirebaseMessaging.onBackgroundMessage handler shows. On iOS, use
/// DarwinNotificationAction.plain('decline', 'Decline'). The payload of the notification is
/// jsonEncode({'CallId': ..., 'ExpiresAt': ...}).
const decline = AndroidNotificationAction('decline', 'Decline');

/// Pass it to FlutterLocalNotificationsPlugin.initialize as onDidReceiveBackgroundNotificationResponse. It runs in a
/// separate isolate, which shares no state with that of the app.
@pragma('vm:entry-point')
Future<void> onNotificationResponse(NotificationResponse response) async {
  if (response.actionId != decline.id) return;
  DartPluginRegistrant.ensureInitialized();
  final call = jsonDecode(response.payload!) as Map<String, dynamic>;
  await callReject(urlAsync, freshToken, call['CallId'] as String, call['ExpiresAt'] as int);
}

/// Get it from the SDK of your issuer. With Firebase, after Firebase.initializeApp():
/// (await FirebaseAuth.instance.currentUser!.getIdToken())!
Future<String> freshToken() => throw UnimplementedError('return a valid token of the user');
