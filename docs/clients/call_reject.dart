// Rejects a call invitation from a notification's "Decline", while the app is closed: docs/clients.md.
// Needs package:http and package:flutter_local_notifications, and on Android this in <application> of the manifest:
// <receiver android:exported="false" android:name="com.dexterous.flutterlocalnotifications.ActionBroadcastReceiver" />

import 'dart:convert';
import 'dart:math';
import 'dart:ui';

import 'package:flutter/foundation.dart';
import 'package:flutter_local_notifications/flutter_local_notifications.dart';
import 'package:http/http.dart' as http;

final urlAsync = Uri.parse('https://a1b2c3d4e5.execute-api.eu-central-1.amazonaws.com/call-reject/async');

/// ExtendedData for the prebuilt UIKit: the caller sees "declined". Without the UIKit it is yours to choose.
const uikitDecline = '{"invitation_id":"","reason":"decline","custom_data":"","v":"f1.0"}';

/// Rejects a call, and tells whether there is nothing left to do.
///
/// [url] is CallRejectUrl, to learn the outcome, or CallRejectAsyncUrl, to have it done soon. [token] gives a token of
/// the user that is good now, and is asked before each try. No try begins after [ringsUntil].
Future<bool> callReject(
  Uri url,
  Future<String> Function() token,
  Map<String, String> request,
  DateTime ringsUntil,
) async {
  for (var pause = 1; ; pause = min(pause * 2, 30)) {
    var wait = pause;
    try {
      final headers = {'Authorization': 'Bearer ${await token()}', 'Content-Type': 'application/json'};
      final posted = http.post(url, headers: headers, body: jsonEncode(request));
      final answer = await posted.timeout(const Duration(seconds: 30));
      final status = answer.statusCode;
      if (const {200, 202, 409}.contains(status)) return true;
      final problem = _problem(answer.body);
      final retryable = problem['retryable'] ?? (status == 429 || status >= 500);
      if (retryable != true) {
        debugPrint('CallReject: $status ${problem['type'] ?? problem['message']}');
        return false;
      }
      wait = int.tryParse(answer.headers['retry-after'] ?? '') ?? pause;
    } on Exception catch (error) {
      debugPrint('CallReject: no answer, or no token: $error'); // Rejecting twice is harmless.
    }
    if (DateTime.now().add(Duration(seconds: wait)).isAfter(ringsUntil)) return false;
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

/// An action of the notification that the handler of FirebaseMessaging.onBackgroundMessage shows; on iOS it is
/// DarwinNotificationAction.plain('decline', 'Decline'). The notification's payload is
/// jsonEncode({'CallId': ..., 'ringsUntil': DateTime.now().add(const Duration(seconds: 90)).toIso8601String()}).
const decline = AndroidNotificationAction('decline', 'Decline');

/// Given to FlutterLocalNotificationsPlugin.initialize as onDidReceiveBackgroundNotificationResponse. It runs in an
/// isolate of its own, which shares nothing with the app's.
@pragma('vm:entry-point')
Future<void> onNotificationResponse(NotificationResponse response) async {
  if (response.actionId != decline.id) return;
  DartPluginRegistrant.ensureInitialized();
  final call = jsonDecode(response.payload!) as Map<String, dynamic>;
  final request = {'CallId': call['CallId'] as String, 'ExtendedData': uikitDecline};
  await callReject(urlAsync, freshToken, request, DateTime.parse(call['ringsUntil'] as String));
}

/// From your issuer's SDK; with Firebase, after Firebase.initializeApp():
/// (await FirebaseAuth.instance.currentUser!.getIdToken())!
Future<String> freshToken() => throw UnimplementedError('a token of the user that is good now');
