import { createHash, createPublicKey } from 'node:crypto';
import { GetSecretValueCommand, PutSecretValueCommand, SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import { approvalState, CardSigner, keyId } from '../../lib/scope/approval';
import { canonicalJson } from '../../lib/scope/canonical-json';
import { compile, TableGrant } from '../../lib/scope/compile';
import { compileReverseSql, compileSql } from '../../lib/scope/compile-sql';
import { ControlsError } from '../../lib/scope/controls-error';
import { Manifest, manifestDigest } from '../../lib/scope/manifest';
import { agentLogin, agentRoleName, agentSecretName, dutyLogin, dutyRole, dutySecretName, SCOPE_STAGE } from '../../lib/scope/names';
import type { AgentRegistration, Registration } from '../../lib/scope/registration';
import type { Hours, Tier } from '../../lib/scope/tier';
import { Run, transaction } from './owner-session';
import { scramVerifier } from './scram';

const secrets = new SecretsManagerClient({});

/** Writes what one stack declares: tiers, signers and logins of handlers, then actions, then the agents that call them; and takes away what it declares no more. */
export async function register(controlsName: string, stack: string, registration: Registration): Promise<void> {
  const { tiers, signers, reviewGraceDays, residency } = registration;
  if (tiers) await transaction((run) => registerTiers(run, tiers));
  if (signers) await transaction((run) => registerSigners(run, signers, reviewGraceDays));
  if (residency) await transaction(async (run) => {
    const digest = createHash('sha256').update(canonicalJson(residency)).digest('hex');
    const [row] = await run('select controls.register_residency(:digest, :policy) as changed', { digest, policy: canonicalJson(residency) });
    if (row?.changed === true) await entry(run, 'residency.registered', null, { policy: digest, owner: residency.owner, review_by: residency.reviewBy });
  });
  for (const duty of registration.duties) {
    await transaction((run) => ensureLogins(run, dutySecretName(controlsName, duty), [dutyLogin(controlsName, duty, 'a'), dutyLogin(controlsName, duty, 'b')], dutyRole(controlsName, duty), { duty }));
  }
  for (const action of registration.actions) {
    const { manifest, functionName, bundleDigest } = action;
    await transaction(async (run) => {
      const digest = manifestDigest(manifest);
      const [row] = await run('select controls.register_action(:name, :stack, :manifest, :digest, :function, :bundle) as changed',
        { name: manifest.name, stack, manifest: canonicalJson(manifest), digest, function: functionName, bundle: bundleDigest });
      if (row?.changed === true) await entry(run, 'action.registered', null, { action: manifest.name, manifest_digest: digest, bundle_digest: bundleDigest });
    });
  }
  for (const agent of registration.agents) await registerAgent(controlsName, stack, agent);
  await removeWhatIsGone(controlsName, stack, registration);
  await transaction(async (run) => {
    await run('lock table controls.action in share row exclusive mode'); // of two stacks the second sees what the first declared
    const manifests = (await run('select manifest from controls.action order by name')).map(({ manifest }) => JSON.parse(String(manifest)) as Manifest);
    const granted = (await run("select g.value::text as grant from controls.agent a join controls.scope s on s.agent = a.name and s.card_digest = a.card_digest and s.environment = a.environment, json_array_elements(s.compiled::json -> 'grants') g where not a.removed")).map(({ grant }) => JSON.parse(String(grant)) as TableGrant);
    for (const statement of compileReverseSql(manifests, granted, controlsName)) await run(statement.startsWith('select ') ? `${statement}::text` : statement);
  });
}

/** A card that disappeared from its stack takes its agent along: logins and their sessions, rights, whatever waits for people. */
export async function removeWhatIsGone(controlsName: string, stack: string, { agents, actions }: Pick<Registration, 'agents' | 'actions'>): Promise<void> {
  const known = new Set(agents.map(({ card }) => card.agent));
  for (const { name } of await transaction((run) => run('select name from controls.agent where stack = :stack and not removed order by name', { stack }))) {
    const agent = String(name);
    if (known.has(agent)) continue;
    await transaction((run) => run('select controls.close_logins(:agent)::text', { agent })); // whatever becomes of the rest
    await transaction(async (run) => {
      const [held] = await run("select hold.cancel_all(:agent, 'agent removed') as cancelled", { agent });
      await run('select controls.remove_agent(:agent, :role)::text', { agent, role: agentRoleName(controlsName, agent) });
      await entry(run, 'agent.removed', agent, { stack, holds_cancelled: Number(held?.cancelled) });
    });
  }
  const declared = new Set(actions.map(({ manifest }) => manifest.name));
  await transaction(async (run) => {
    for (const { name } of await run('select name from controls.action where stack = :stack order by name', { stack })) {
      if (declared.has(String(name))) continue;
      await run('delete from controls.action where name = :name', { name: String(name) });
      await entry(run, 'action.removed', null, { action: String(name), stack });
    }
  });
}

async function registerSigners(run: Run, signers: readonly CardSigner[], reviewGraceDays: number | null): Promise<void> {
  const settings = { review_grace_days: reviewGraceDays === null ? null : String(reviewGraceDays), automatic_approval: signers.length === 0 ? 'true' : 'false' };
  const all = (): Promise<Record<string, unknown>[]> => run("select name, public_key || security::text as value from controls.signer union all select name, value from controls.setting where name in ('review_grace_days', 'automatic_approval') order by 1");
  const before = await all();
  await run('delete from controls.signer');
  for (const { name, publicKey, security } of signers) await run('insert into controls.signer values (:name, :key, :security)', { name, key: publicKey, security });
  for (const [name, value] of Object.entries(settings)) {
    await run('delete from controls.setting where name = :name', { name });
    if (value !== null) await run('insert into controls.setting values (:name, :value)', { name, value });
  }
  if (canonicalJson(before) !== canonicalJson(await all())) {
    await entry(run, 'signers.registered', null, { signers: signers.map(({ name, publicKey, security }) => ({ name, security, key: keyId(createPublicKey(publicKey)) })), ...settings });
  }
}

const TIERS = 'select name, kind, window_seconds, array_to_json(approvers)::text as approvers, people, reference_required, hours, escalate_to from controls.tier order by name';

async function registerTiers(run: Run, tiers: readonly Tier[]): Promise<void> {
  const before = await run(TIERS);
  await run('delete from controls.tier');
  for (const { name, kind, windowSeconds, approvers, people, referenceRequired, hours, escalateTo } of tiers) {
    await run('insert into controls.tier values (:name, :kind, :window::int, array(select json_array_elements_text(:approvers::json)), :people::int, :reference, :hours, :escalate)',
      { name, kind, window: windowSeconds, approvers: JSON.stringify(approvers), people, reference: referenceRequired ?? false, hours: hours ? canonicalJson(hours) : null, escalate: escalateTo ?? null });
  }
  const after = await run(TIERS);
  if (canonicalJson(before) !== canonicalJson(after)) await entry(run, 'tiers.registered', null, { tiers: after });
}

async function registerAgent(controlsName: string, stack: string, { card, environment, approval }: AgentRegistration): Promise<void> {
  const compiled = await transaction(async (run) => {
    const manifests = (await run('select manifest from controls.action')).map(({ manifest }) => JSON.parse(String(manifest)) as Manifest);
    const tiers = (await run(TIERS)).map((row): Tier => ({
      name: String(row.name), kind: row.kind as Tier['kind'], windowSeconds: Number(row.window_seconds), approvers: JSON.parse(String(row.approvers)) as string[], people: Number(row.people), ...(row.reference_required === true ? { referenceRequired: true } : {}),
      ...(typeof row.hours === 'string' ? { hours: JSON.parse(row.hours) as Hours } : {}), ...(typeof row.escalate_to === 'string' ? { escalateTo: row.escalate_to } : {}),
    }));
    const signers = (await run('select name, public_key, security from controls.signer')).map((row): CardSigner => ({ name: String(row.name), publicKey: String(row.public_key), security: row.security === true }));
    const scope = compile({ card, environment, manifests, tiers });
    await run('select controls.demand_closed()::text');
    const { arn } = await ensureLogins(run, agentSecretName(controlsName, card.agent), [agentLogin(controlsName, card.agent, 'a'), agentLogin(controlsName, card.agent, 'b')], agentRoleName(controlsName, card.agent), { agent: card.agent });
    for (const statement of compileSql(scope, controlsName)) await run(statement.startsWith('select ') ? `${statement}::text` : statement);
    const { signed, faults } = approvalState({ card, manifests, tiers }, approval ?? undefined, signers);
    // A signature under another card that came later took this one back.
    const [later] = await run("select max(g ->> 'at') as at from controls.scope s, json_array_elements(s.signatures::json) g where s.agent = :agent and s.environment = :environment and s.card_digest <> :digest", { agent: card.agent, environment, digest: scope.cardDigest });
    const [oldest] = signed.map(({ at }) => at).sort();
    if (faults.length === 0 && typeof later?.at === 'string' && String(oldest) <= later.at) faults.push(`another card of ${card.agent} was approved on ${later.at}, after this one; sign this one again`);
    const names = signed.map(({ by }) => by).join(', ');
    const [row] = await run('select controls.register_agent(:name, :stack, :environment, :card, :digest, :compiled, :secret, :production, :signedBy, :signatures) as told', {
      name: card.agent, stack, environment, card: canonicalJson(card), digest: scope.cardDigest, compiled: canonicalJson(scope), secret: arn,
      production: scope.production, signedBy: faults.length === 0 ? names : null, signatures: canonicalJson(signed),
    });
    const told = JSON.parse(String(row?.told)) as { changed: boolean; inForce: boolean; approved: boolean; withdrawn: boolean };
    const facts = { card_digest: scope.cardDigest, environment };
    if (told.changed) await entry(run, 'agent.registered', card.agent, { ...facts, production: scope.production, not_in_force: told.inForce ? [] : faults });
    if (told.approved) await entry(run, 'card.approved', card.agent, { ...facts, actions: approval?.actions, approvals: signed.map(({ by, at, key }) => ({ by, at, key })) });
    if (told.withdrawn) await entry(run, 'card.withdrawn', card.agent, { ...facts, not_in_force: faults });
    return scope;
  });
  // Second: until it is written the broker sees two digests and starts no run.
  await putScope(agentSecretName(controlsName, card.agent), canonicalJson({ cardDigest: compiled.cardDigest, environment, scopes: card.scopes.map(({ scope }) => scope) }));
}

/**
 * Makes both logins of a pair, members of the one role that has the rights, so rights never follow a password. A password is set where there is
 * none, and where the secret and the database went apart, as after a restore: a deploy that is late must not bring an old one back, so the secret is
 * read again while the login's row is locked.
 */
async function ensureLogins(run: Run, secretName: string, pair: readonly string[], role: string, of: { readonly duty?: string; readonly agent?: string }): Promise<{ arn: string }> {
  await run('select controls.ensure_role(:role)::text', { role });
  for (const login of pair) await run('select controls.ensure_login(:login, :role, :duty, :agent)::text', { login, role, duty: of.duty ?? null, agent: of.agent ?? null });
  const known = new Map((await run('select login, version from controls.login where login = any (array[:a, :b]) order by login for update', { a: pair[0] as string, b: pair[1] as string })).map(({ login, version }) => [String(login), version]));
  const { username, password, version, arn, createdAt } = await credential(secretName);
  if (!known.has(username)) throw new ControlsError('LoginShared', `the secret of ${of.agent ?? of.duty ?? ''} holds the login ${username}, which is not its own; restore the secret`);
  // What is older than the last rotation is a copy that came late.
  const [rotated] = await run("select extract(epoch from at)::float8 as at from controls.rotation where name = :name and token <> :version and state in ('revoking', 'finished')", { name: secretName.slice(secretName.indexOf('/') + 1), version });
  if (known.get(username) !== version && !(Number(rotated?.at) * 1_000 > createdAt.getTime())) await run('select controls.set_password(:login, :verifier, :version)::text', { login: username, verifier: scramVerifier(password), version });
  return { arn };
}

async function entry(run: Run, kind: string, agent: string | null, facts: object): Promise<void> {
  await run('select audit.chain(:entries::json)::text', { entries: JSON.stringify([{ kind, agent, facts: canonicalJson(facts) }]) });
}

async function credential(secretName: string): Promise<{ username: string; password: string; version: string; arn: string; createdAt: Date }> {
  const { SecretString, ARN, VersionId, CreatedDate } = await secrets.send(new GetSecretValueCommand({ SecretId: secretName }));
  const { username, password } = JSON.parse(SecretString ?? '{}') as { username?: string; password?: string };
  if (username === undefined || password === undefined || ARN === undefined || VersionId === undefined) throw new ControlsError('SecretInvalid', `${secretName} must hold username and password; restore its last version`);
  return { username, password, version: VersionId, arn: ARN, createdAt: CreatedDate ?? new Date() };
}

async function putScope(secretName: string, scope: string): Promise<void> {
  const current = await secrets.send(new GetSecretValueCommand({ SecretId: secretName, VersionStage: SCOPE_STAGE })).catch((error: unknown) => {
    if (error instanceof Error && error.name === 'ResourceNotFoundException') return undefined; // the first time there is none
    throw error;
  });
  if (current?.SecretString !== scope) await secrets.send(new PutSecretValueCommand({ SecretId: secretName, SecretString: scope, VersionStages: [SCOPE_STAGE] }));
}
