// Resend's official SDK for Node as a receiver of webhooks: for each request of standard input, prints what it verified, or its error.

import { readFileSync } from "node:fs";
import { Resend } from "resend";

const resend = new Resend("re_unused");
const answers = JSON.parse(readFileSync(0, "utf8")).map(({ payload, headers, secret }) => {
  const [id, timestamp, signature] = ["svix-id", "svix-timestamp", "svix-signature"].map((name) => headers[name]);
  try {
    return { event: resend.webhooks.verify({ payload, headers: { id, timestamp, signature }, webhookSecret: secret }) };
  } catch (error) {
    return { error: error.message };
  }
});

console.log(JSON.stringify(answers));
