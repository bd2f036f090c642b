import { SendEmailCommand, SESv2Client } from '@aws-sdk/client-sesv2';
import { defineAction, param } from 'cdk-agent-controls/action';

const ses = new SESv2Client({});

async function send(to: string, subject: string, body: string, decision: string): Promise<string> {
  const { MessageId } = await ses.send(new SendEmailCommand({
    FromEmailAddress: process.env.FROM_ADDRESS,
    Destination: { ToAddresses: [to] },
    Content: { Simple: { Subject: { Data: subject }, Body: { Text: { Data: body } } } },
    EmailTags: [{ Name: 'decision', Value: decision }],
  }));
  return MessageId ?? '';
}

export default defineAction({
  name: 'send_email',
  description: 'Sends one mail to a lead from the outreach address.',
  parameters: {
    lead_id: param.references('leads.id'),
    to: param.email({ dataClass: 'contact' }),
    subject: param.text({ maxLength: 120 }),
    body: param.text({ maxLength: 8_000 }),
  },
  reach: 'outward',
  asks: ['follow up', 'mail', 'e-mail', 'email', 'write to'],
  sinks: ['to'],
  vendor: { name: 'Amazon Web Services (SES)', dataClasses: ['contact', 'business'], subProcessors: [], review: { by: 'appsec@example.com', until: '2027-06-30' }, escalation: 'https://support.console.aws.amazon.com' },
  writes: ['lead_notes.lead_id', 'lead_notes.note'],
  before: () => Promise.resolve(undefined), // nothing of ours is overwritten
  execute: async ({ to, subject, body }, { idempotencyKey, wrote }) => {
    const messageId = await send(to, subject, body, idempotencyKey);
    wrote('email_send', messageId);
    return { messageId };
  },
  reverse: {
    sentence: 'Sends a correction with an explicit subject line and adds a note to the lead.',
    compensate: async ({ parameters }, { sql, idempotencyKey, wrote }) => {
      wrote('email_send', await send(parameters.to, `Correction: ${parameters.subject}`, 'Please disregard our last message.', idempotencyKey));
      await sql.run`insert into lead_notes (lead_id, note) values (${parameters.lead_id}, 'correction sent')`;
    },
  },
});
