import { ControlsError } from '../../lib/scope/controls-error';
import { MIGRATIONS, together } from '../database/migrations';
import { Run, transaction } from './owner-session';

/** Brings the schema up to date. Repeating it changes nothing; a migration that was edited after it ran is refused. */
export async function migrate(controlsName: string): Promise<number> {
  const applied = await transaction((run) => appliedMigrations(run, controlsName));
  const due = MIGRATIONS.filter(({ version, name, checksum }) => {
    const before = applied.get(version);
    if (before !== undefined && before !== checksum) {
      throw new ControlsError('MigrationChanged', `migration ${version} (${name}) ran with checksum ${before.slice(0, 12)} and is now ${checksum.slice(0, 12)}; restore it, and write a new one`);
    }
    return before === undefined;
  });
  for (const { version, name, checksum, statements } of due) {
    await transaction(async (run) => {
      for (const block of together(statements(controlsName))) await run(block);
      await run('insert into controls.migration (version, name, checksum) values (:version::int, :name, :checksum)', { version, name, checksum });
      if (version === 1) await run("insert into controls.setting values ('controls_name', :name)", { name: controlsName });
    });
  }
  if (due.length > 0) {
    await transaction((run) => run('select audit.chain(:entries::json)::text', {
      entries: JSON.stringify(due.map(({ version, name, checksum }) => ({ kind: 'migration.applied', facts: JSON.stringify({ version, name, checksum }) }))),
    }));
  }
  await transaction((run) => run('select audit.ensure_partitions(15)::text'));
  return due.length;
}

async function appliedMigrations(run: Run, controlsName: string): Promise<Map<number, string>> {
  const [found] = await run("select to_regclass('controls.migration') is not null as found");
  if (found?.found !== true) return new Map();
  const [setting] = await run("select value from controls.setting where name = 'controls_name'");
  if (setting && setting.value !== controlsName) {
    throw new ControlsError('ControlsRenamed', `the database belongs to control plane ${String(setting.value)}, got ${controlsName}; keep the name, or take another database`);
  }
  const rows = await run('select version, checksum from controls.migration');
  return new Map(rows.map(({ version, checksum }) => [Number(version), String(checksum)]));
}
