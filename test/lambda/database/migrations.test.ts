/** The schema as the registrar sends it. */
import { describe, expect, it } from 'vitest';
import { MIGRATIONS, together } from '../../../lambda/database/migrations';

describe('statements put together', () => {
  it('are few, each as long as the Data API takes at most, and all of them in their order', () => {
    for (const { name, statements } of MIGRATIONS) {
      const [each, blocks] = [statements('x'), together(statements('x'))];
      expect(Math.max(...blocks.map(({ length }) => length)), name).toBeLessThanOrEqual(65_536);
      expect(blocks.length, name).toBeLessThan(3);
      expect(blocks.flatMap((block) => [...block.matchAll(/\$step\$([\s\S]*?)\$step\$/g)].map(([, statement]) => statement)), name).toEqual(each);
    }
  });

  it('do not end where one says so', () => {
    expect(together(['a'.repeat(40_000), 'b'.repeat(40_000)])).toHaveLength(2);
    expect(() => together(['select $step$; drop schema audit; $step$'])).toThrow('MigrationInvalid');
  });
});
