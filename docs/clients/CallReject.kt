// Rejects a call invitation from a notification's "Decline", while the app is closed: docs/clients.md.
// Needs androidx.core and androidx.work; the receiver stands in AndroidManifest.xml, with android:exported="false".

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

/** ExtendedData for the prebuilt UIKit: the caller sees "declined". Without the UIKit it is yours to choose. */
const val UIKIT_DECLINE = """{"invitation_id":"","reason":"decline","custom_data":"","v":"f1.0"}"""

/**
 * Rejects a call, and tells whether there is nothing left to do. Blocks: not for the main thread.
 *
 * [url] is CallRejectUrl, to learn the outcome, or CallRejectAsyncUrl, to have it done soon. [token] gives a token of
 * the user that is good now, and is asked before each try. No try begins after [ringsUntil] (milliseconds since 1970).
 */
fun callReject(url: String, token: () -> String, request: Map<String, String>, ringsUntil: Long): Boolean {
    var pause = 1L
    while (true) {
        var wait = pause
        try {
            val connection = URL(url).openConnection() as HttpURLConnection
            connection.requestMethod = "POST"
            connection.connectTimeout = 10_000
            connection.readTimeout = 30_000
            connection.doOutput = true
            connection.setRequestProperty("Authorization", "Bearer ${token()}")
            connection.setRequestProperty("Content-Type", "application/json")
            connection.outputStream.use { it.write(JSONObject(request).toString().toByteArray()) }
            val status = connection.responseCode
            if (status in setOf(200, 202, 409)) return true
            val problem = problem(connection)
            if (!problem.optBoolean("retryable", status == 429 || status >= 500)) {
                Log.e("CallReject", "$status ${problem.optString("type", problem.optString("message"))}")
                return false
            }
            wait = connection.getHeaderField("Retry-After")?.toLongOrNull() ?: pause
        } catch (error: Exception) {
            Log.w("CallReject", "no answer, or no token", error) // Rejecting twice is harmless.
        }
        if (System.currentTimeMillis() + wait * 1000 > ringsUntil) return false
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

/** What "Decline" in the notification sends: for NotificationCompat.CallStyle.forIncomingCall, or for an action. */
fun declineIntent(context: Context, callId: String, ringsUntil: Long): PendingIntent {
    val intent = Intent(context, DeclineReceiver::class.java)
        .putExtra("CallId", callId)
        .putExtra("ringsUntil", ringsUntil)
    val flags = PendingIntent.FLAG_UPDATE_CURRENT or PendingIntent.FLAG_IMMUTABLE
    return PendingIntent.getBroadcast(context, callId.hashCode(), intent, flags)
}

/** Android gives a receiver a few seconds, so that the request is left to a worker, which outlives the process. */
class DeclineReceiver : BroadcastReceiver() {
    override fun onReceive(context: Context, intent: Intent) {
        val callId = intent.getStringExtra("CallId") ?: return
        val work = OneTimeWorkRequestBuilder<DeclineWorker>()
            .setInputData(workDataOf("CallId" to callId, "ringsUntil" to intent.getLongExtra("ringsUntil", 0)))
            .setConstraints(Constraints.Builder().setRequiredNetworkType(NetworkType.CONNECTED).build())
        // Before Android 12, expedited work is a foreground service with a notification of its own.
        if (Build.VERSION.SDK_INT >= Build.VERSION_CODES.S) {
            work.setExpedited(OutOfQuotaPolicy.RUN_AS_NON_EXPEDITED_WORK_REQUEST)
        }
        WorkManager.getInstance(context).enqueueUniqueWork(callId, ExistingWorkPolicy.KEEP, work.build())
        NotificationManagerCompat.from(context).cancel(callId, 0) // as it was shown: notify(callId, 0, …)
    }
}

class DeclineWorker(context: Context, parameters: WorkerParameters) : Worker(context, parameters) {
    override fun doWork(): Result {
        val request = mapOf("CallId" to inputData.getString("CallId")!!, "ExtendedData" to UIKIT_DECLINE)
        val done = callReject(URL_ASYNC, ::token, request, inputData.getLong("ringsUntil", 0))
        return if (done) Result.success() else Result.failure()
    }

    /** From your issuer's SDK; with Firebase: Tasks.await(Firebase.auth.currentUser!!.getIdToken(false)).token!! */
    private fun token(): String = TODO("a token of the user that is good now")
}
