import { readFileSync } from 'node:fs';
import { defineConfig } from 'vitest/config';
import { BaseSequencer, TestSpecification } from 'vitest/node';

/** What takes minutes begins first, so that no worker is left alone with it at the end. */
class LongestFirst extends BaseSequencer {
  public override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const sorted = await super.sort(files);
    const long = ({ moduleId }: TestSpecification): boolean => /\/test\/(end-to-end\/|docs|package|synth)/.test(moduleId);
    return [...sorted.filter(long), ...sorted.filter((file) => !long(file))];
  }
}

export default defineConfig({
  plugins: [{
    name: 'sql-as-text',
    enforce: 'pre',
    load: (id) => (id.endsWith('.sql') ? `export default ${JSON.stringify(readFileSync(id, 'utf8'))};` : null),
  }],
  resolve: {
    alias: {
      '@secretlint/profiler': new URL('./lambda/redaction/no-profiler.ts', import.meta.url).pathname, // as in every bundle
      'cdk-agent-controls/action': new URL('./lambda/action/index.ts', import.meta.url).pathname,
      'cdk-agent-controls/issuer': new URL('./lambda/issuer/index.ts', import.meta.url).pathname,
      'cdk-agent-controls/client': new URL('./lambda/client/index.ts', import.meta.url).pathname,
      'cdk-agent-controls/testing': new URL('./local/testing/index.ts', import.meta.url).pathname,
      'cdk-agent-controls': new URL('./lib/index.ts', import.meta.url).pathname,
    },
  },
  test: {
    include: ['test/**/*.test.ts'],
    globalSetup: ['test/support/global-setup.ts'],
    testTimeout: 60_000,
    hookTimeout: 240_000, // a story that is played before, on a machine that has other work to do
    maxWorkers: 3, // more than there are cores: what runs on the local runtime often waits
    sequence: { sequencer: LongestFirst },
    isolate: false, // aws-cdk-lib is loaded once for each worker, not for each file: nothing here changes what a module keeps
    server: { deps: { inline: [/@secretlint\//] } },
    // The compiler decides what every enforcer enforces: no branch of it goes untested.
    coverage: { provider: 'istanbul', include: ['lib/scope/**'], exclude: ['test/**'], reporter: ['text-summary'], thresholds: { branches: 100 } },
    env: { CDK_VALIDATION: 'false', AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED: 'true' },
  },
});
