"""Routes in the form of Resend's API, which its SDKs can be pointed at."""
