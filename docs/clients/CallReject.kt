// Rejects a call when the user taps "Decline" in a notification while the app is closed. See docs/clients.md.
// Requires androidx.core and androidx.work, and the receiver in AndroidManifest.xml with android:exported="false".

package com.example.calls

import android.app.PendingIntent
import android.content.BroadcastReceiver
import android.content.Context
import android.content.Intent
import android.os.Build
import android.util.Log
import androidx.core.app.NotificationManagerCompat
import androidx.work.Constraints
import androidx.work.ExistingWorkPolicy
import androidx.work.NetworkType
import androidx.work.OneTimeWorkRequestBuilder
import androidx.work.OutOfQuotaPolicy
import androidx.work.WorkManager
import androidx.work.Worker
import androidx.work.WorkerParameters
import androidx.work.workDataOf
import java.net.HttpURLConnection
import java.net.URL
import org.json.JSONException
import org.json.JSONObject

const val URL_ASYNC = "https://a1b2c3d4e5.execute-api.eu-central-1.amazonaws.com/call-reject/async"

/**
 * Rejects a call and returns true if it is rejected, queued or already over. Blocks: call it on a background thread.
 *
 * [url] is CallRejectUrl, or CallRejectAsyncUrl to get a response before the call is rejected. [token] returns a valid
 * token of the user and is called before each attempt. [expiresAt] is the Unix time in seconds when the invitation stops
 * ringing. No retry starts later. [reason] is "decline" or "busy".
 */
fun callReject(url: String, token: () -> String, callId: String, expiresAt: Long, reason: String = "decline"): Boolean {
    val request = JSONObject(mapOf("CallId" to callId, "Reason" to reason, "ExpiresAt" to expiresAt)).toString()
    var pause = 1L
    while (true) {
        var wait = pause
        try {
            val connection = URL(url).openConnection() as HttpURLConnection
            connection.requestMethod = "POST"
            connection.instanceFollowRedirects = false
            connection.connectTimeout = 10_000
            connection.readTimeout = 30_000
            connection.doOutput = true
            connection.setRequestProperty("Authorization", "Bearer ${token()}")
            connection.setRequestProperty("Content-Type", "application/json")
            connection.outputStream.use { it.write(request.toByteArray()) }
            val status = connection.responseCode
            if (status in setOf(200, 202, 409)) return true
            val problem = problem(connection)
            Log.e("CallReject", "$status ${problem.optString("type", problem.optString("message"))}")
            if (!problem.optBoolean("retryable", status == 429 || status >= 500)) return false
            wait = connection.getHeaderField("Retry-After")?.toLongOrNull() ?: pause
        } catch (error: Exception) {
            Log.w("CallReject", "no response, or no token", error)
        }
        if (System.currentTimeMillis() / 1000 + wait >= expiresAt) return false
        Thread.sleep(wait * 1000)
        pause = minOf(pause * 2, 30)
    }
}

private fun problem(connection: HttpURLConnection): JSONObject {
    val body = connection.errorStream?.bufferedReader()?.use { it.readText() }
    return try {
        JSONObject(body.orEmpty())
    } catch (_: JSONException) {
        JSONObject()
    }
}

/** The intent of "Decline" in the notification, for NotificationCompat.CallStyle.forIncomingCall or an action. */
fun declineIntent(context: Context, callId: String, expiresAt: Long): PendingIntent {
    val intent = Intent(context, DeclineReceiver::class.java)
        .putExtra("CallId", callId)
        .putExtra("ExpiresAt", expiresAt)
    val flags = PendingIntent.FLAG_UPDATE_CURRENT or PendingIntent.FLAG_IMMUTABLE
    return PendingIntent.getBroadcast(context, callId.hashCode(), intent, flags)
}

/** Starts a worker, which survives the process. A receiver has only a few seconds. */
class DeclineReceiver : BroadcastReceiver() {
    override fun onReceive(context: Context, intent: Intent) {
        val callId = intent.getStringExtra("CallId") ?: return
        val work = OneTimeWorkRequestBuilder<DeclineWorker>()
            .setInputData(workDataOf("CallId" to callId, "ExpiresAt" to intent.getLongExtra("ExpiresAt", 0)))
            .setConstraints(Constraints.Builder().setRequiredNetworkType(NetworkType.CONNECTED).build())
        // Before Android 12, expedited work is a foreground service with its own notification.
        if (Build.VERSION.SDK_INT >= Build.VERSION_CODES.S) {
            work.setExpedited(OutOfQuotaPolicy.RUN_AS_NON_EXPEDITED_WORK_REQUEST)
        }
        WorkManager.getInstance(context).enqueueUniqueWork(callId, ExistingWorkPolicy.KEEP, work.build())
        NotificationManagerCompat.from(context).cancel(callId, 0) // shown with notify(callId, 0, …)
    }
}

class DeclineWorker(context: Context, parameters: WorkerParameters) : Worker(context, parameters) {
    override fun doWork(): Result {
        val callId = inputData.getString("CallId")!!
        val done = callReject(URL_ASYNC, ::token, callId, inputData.getLong("ExpiresAt", 0))
        return if (done) Result.success() else Result.failure()
    }

    /** Use the SDK of your issuer. With Firebase: Tasks.await(Firebase.auth.currentUser!!.getIdToken(false)).token!! */
    private fun token(): String = TODO("return a valid token of the user")
}
