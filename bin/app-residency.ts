/** What the models of the example may see, and where: the policy that a privacy reviewer signs. */
import { Annotations, Stack } from 'aws-cdk-lib';
import { Secret } from 'aws-cdk-lib/aws-secretsmanager';
import { DataClass, ModelProvider, ResidencyBoundary, UnclearedData, VendorReview } from '../lib';

export function residencyOf(stack: Stack): ResidencyBoundary {
  const harmless = [DataClass.PUBLIC, DataClass.BUSINESS];
  const terms = (url: string, retentionDays: number): { url: string; readOn: string; trainsOnData: boolean; retentionDays: number } => ({ url, readOn: '2026-10-01', trainsOnData: false, retentionDays });
  const reviewed = (escalation: string, ...subProcessors: string[]): VendorReview => ({ reviewedBy: 'appsec@example.com', reviewUntil: '2027-06-30', escalation, subProcessors });
  const boundary = new ResidencyBoundary(stack, 'Residency', {
    regions: ['eu-central-1', 'eu-west-1'], owner: 'privacy@example.com', reviewBy: '2027-06-30',
    providers: [
      ModelProvider.bedrock({
        providerName: 'bedrock-eu', modelId: 'eu.anthropic.claude-sonnet-4-5-20250929-v1:0', destinationRegions: ['eu-central-1', 'eu-west-1'],
        clearedFor: [...harmless, DataClass.CONTACT, DataClass.CONTRACT, DataClass.PAYMENT], terms: terms('https://aws.amazon.com/service-terms', 0), vendorReview: reviewed('https://support.console.aws.amazon.com'),
      }),
      // What it may not see is taken out.
      ModelProvider.openAiCompatible({ providerName: 'openai', company: 'OpenAI', baseUrl: 'https://api.openai.com/v1', modelIds: ['gpt-5'], processesIn: ['United States'], apiKey: new Secret(stack, 'OpenAiKey'), clearedFor: harmless, terms: terms('https://openai.com/policies', 30), vendorReview: reviewed('https://help.openai.com', 'Microsoft') }),
      // Whoever asks this one about a payment needs to see it: the question goes to one that may.
      ModelProvider.openAiCompatible({
        providerName: 'mistral', company: 'Mistral AI', baseUrl: 'https://api.mistral.ai/v1', modelIds: ['mistral-large'], processesIn: ['France'], apiKey: new Secret(stack, 'MistralKey'), clearedFor: [...harmless, DataClass.CONTACT],
        uncleared: [UnclearedData.routeTo('bedrock-eu', DataClass.PAYMENT)], terms: terms('https://mistral.ai/terms', 30), vendorReview: reviewed('https://help.mistral.ai'),
      }),
    ],
    uncleared: [UnclearedData.redact(DataClass.PAYMENT, DataClass.CONTACT)],
    columns: {
      'leads.*': DataClass.CONTACT, 'leads.company': DataClass.BUSINESS, 'customer.*': DataClass.BUSINESS, 'customer.payment_method': DataClass.PAYMENT, 'charges.*': DataClass.BUSINESS, 'contracts.*': DataClass.CONTRACT,
    },
  });
  for (const name of ['openai', 'mistral']) Annotations.of(boundary).acknowledgeWarning(`cdk-agent-controls:KeyNotRotated-${name}`, 'platform@example.com replaces it by hand, on the first Monday of a quarter');
  return boundary;
}
