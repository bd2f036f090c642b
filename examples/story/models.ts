/** A card number in a question: taken out for one model, sent to one in the region for another, and a key for nobody. */
import OpenAI from 'openai';
import type { LocalRuntime } from 'cdk-agent-controls/testing';
import { Scene } from './scene';

export async function models(runtime: LocalRuntime, { tell, note }: Scene): Promise<void> {
  tell.doing('refunder asks models, with the SDK of one of them');
  const { models: gateway } = await runtime.startAsked('refunder', { text: 'Contoso Robotics asks about its charges.', reference: 'HELP-4712' });
  const sdk = new OpenAI({ baseURL: `${gateway?.url ?? ''}v1`, apiKey: gateway?.token ?? '', maxRetries: 0 });
  // Every model here is a stub that says who it stands for and repeats what it was told.
  const ask = async (model: string, content: string): Promise<string> => {
    let said = '';
    try {
      for await (const { choices } of await sdk.chat.completions.create({ model, stream: true, messages: [{ role: 'user', content }] })) said += choices[0]?.delta.content ?? '';
    } catch (error) {
      return (error as { code?: string }).code ?? String(error);
    }
    return said.replace(/^\[stub of the local runtime for ([^\]]+)\] You said: (.*)$/s, '$1 heard: $2');
  };
  const question = 'Was card 4111 1111 1111 1111 charged twice?';
  note('openai, about a card number: taken out', 'gpt-5 heard: Was card [redacted: payment] charged twice?', await ask('openai', question));
  note('mistral, the same: goes to a model in the region that may see it', 'eu.anthropic.claude-sonnet-4-5-20250929-v1:0 heard: Was card 4111 1111 1111 1111 charged twice?', await ask('mistral', question));
  note('any, with a key in the question', 'ClassBlocked', await ask('bedrock-eu', `Is AKIA${'QYLPMN5HHHFPZAM2'} still in use?`));
  note('a model that its card does not name', 'ModelNotOnCard', await ask('somebody', 'Hello?'));
}
