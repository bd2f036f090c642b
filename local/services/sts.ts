import { stableId, PolicyDocument, Principal, Principals } from '../identity/principals';
import type { Authoriser } from '../identity/authoriser';
import type { Clock } from '../clock';
import type { Operation, Reply, Service, SignedRequest } from '../endpoint/operation';
import { ServiceError } from '../endpoint/service-error';
import { formOf, xml } from './protocol';

/** Security Token Service: AssumeRole and GetCallerIdentity. */
export class Sts implements Service {
  public readonly protocol = 'query';
  /** Told of every session that is handed out. */
  public onSession: (session: Principal, by: string) => void = () => undefined;

  public constructor(private readonly principals: Principals, private readonly authoriser: Authoriser, private readonly clock: Clock) {}

  public name(request: SignedRequest): string { return formOf(request).get('Action') ?? ''; }

  public operation(name: string, request: SignedRequest): Operation | undefined {
    if (name === 'GetCallerIdentity') return { permissions: [], run: () => reply(name, `<Arn>${xml(request.principal.arn)}</Arn><UserId>${xml(request.principal.userId)}</UserId><Account>${this.principals.account}</Account>`) };
    if (name === 'AssumeRole') return { permissions: [], run: () => this.assumeRole(request) };
    return undefined;
  }

  private async assumeRole(request: SignedRequest): Promise<Reply> {
    const form = formOf(request);
    const roleArn = form.get('RoleArn') ?? '';
    const sessionName = form.get('RoleSessionName') ?? '';
    const seconds = Number(form.get('DurationSeconds') ?? '3600');
    const policy = form.get('Policy') ?? undefined;
    if (!/^[\w+=,.@-]{2,64}$/.test(sessionName)) throw new ServiceError('ValidationError', `RoleSessionName must match [\\w+=,.@-]{2,64}`);
    if (policy !== undefined && policy.length > 2_048) throw new ServiceError('PackedPolicyTooLarge', `the session policy has ${policy.length} characters; STS takes 2,048`);
    const role = this.principals.roleByArn(roleArn);
    if (!role) throw new ServiceError('AccessDenied', `User: ${request.principal.arn} is not authorized to perform: sts:AssumeRole on resource: ${roleArn}`, 403);
    // A role that assumes a role may ask for an hour at most, whatever the second allows.
    const longest = request.principal.role ? 3_600 : role.maxSessionSeconds;
    if (!(seconds >= 900 && seconds <= longest)) throw new ServiceError('ValidationError', `DurationSeconds must be 900 to ${longest}, got ${seconds}`);

    const tags = [...form.keys()].filter((key) => /^Tags\.member\.\d+\.Key$/.test(key)).map((key) => form.get(key) ?? '');
    const sourceIdentity = form.get('SourceIdentity');
    const actions = ['sts:AssumeRole', ...(tags.length > 0 ? ['sts:TagSession'] : []), ...(sourceIdentity === null ? [] : ['sts:SetSourceIdentity'])];
    for (const action of actions) {
      await this.authoriser.demandTrust(request.principal, role, action, {
        ...(action === 'sts:AssumeRole' ? { 'sts:RoleSessionName': sessionName } : {}), ...(action === 'sts:TagSession' ? { 'aws:TagKeys': tags } : {}),
        ...(action === 'sts:SetSourceIdentity' ? { 'sts:SourceIdentity': sourceIdentity ?? '' } : {}),
      });
    }
    const expiresAt = this.clock.now() + seconds * 1_000;
    const session = this.principals.addSession(role, sessionName, { expiresAt, mfa: request.principal.mfa, ...(policy === undefined ? {} : { sessionPolicy: JSON.parse(policy) as PolicyDocument }) });
    this.onSession(session, request.principal.arn);
    return reply('AssumeRole', `<AssumedRoleUser><AssumedRoleId>${session.userId}</AssumedRoleId><Arn>${xml(session.arn)}</Arn></AssumedRoleUser>`
      + `<Credentials><AccessKeyId>${session.accessKeyId}</AccessKeyId><SecretAccessKey>${xml(session.secretAccessKey)}</SecretAccessKey><SessionToken>${xml(session.sessionToken ?? '')}</SessionToken>`
      + `<Expiration>${new Date(expiresAt).toISOString()}</Expiration></Credentials>`);
  }
}

function reply(name: string, result: string): Reply {
  return {
    headers: { 'content-type': 'text/xml' },
    body: `<${name}Response xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><${name}Result>${result}</${name}Result><ResponseMetadata><RequestId>${stableId('', name)}</RequestId></ResponseMetadata></${name}Response>`,
  };
}
