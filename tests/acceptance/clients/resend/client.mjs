// Resend's official SDK for Node, pointed at the daemon by RESEND_BASE_URL: prints what each call answered as JSON.

import { Resend } from "resend";

const resend = new Resend(process.argv[2]);
const mail = { from: "Shop <shop@example.com>", to: "anna@example.com", subject: "Your order", html: "<p>Thank you</p>" };
const later = new Date(Date.now() + 86_400_000).toISOString();
const answers = {};

async function call(name, work) {
  const { data, error } = await work;
  answers[name] = { data, error };
  return data;
}

const sent = await call(
  "send",
  resend.emails.send({
    ...mail,
    replyTo: "help@example.com",
    cc: ["bob@example.com"],
    tags: [{ name: "kind", value: "order" }],
    attachments: [{ filename: "a.csv", content: Buffer.from("a,b\r\n") }],
  }),
);
await call("get", resend.emails.get(sent.id));
await call("batch", resend.batch.send([mail, { ...mail, to: "carol@example.com" }]));
const scheduled = await call("schedule", resend.emails.send({ ...mail, scheduledAt: later }));
await call("move", resend.emails.update({ id: scheduled.id, scheduledAt: later }));
await call("cancel", resend.emails.cancel(scheduled.id));
await call("once", resend.emails.send(mail, { idempotencyKey: "order-1" }));
await call("again", resend.emails.send(mail, { idempotencyKey: "order-1" }));
await call("reused", resend.emails.send({ ...mail, subject: "Another" }, { idempotencyKey: "order-1" }));
await call("invalid", resend.emails.send({ ...mail, to: ["a@example.com", "b@example.com"] }));
await call("unknown", resend.emails.get("none"));
await call("wrong key", new Resend("re_wrong").emails.send(mail));

console.log(JSON.stringify(answers));
