import type { Operation, Service, SignedRequest } from '../endpoint/operation';
import { ServiceError } from '../endpoint/service-error';
import { jsonOf, targetOf } from './protocol';

/** Systems Manager: GetParameter. */
export class Ssm implements Service {
  public readonly protocol = 'json';

  public constructor(private readonly parameters: ReadonlyMap<string, string>, private readonly account: string, private readonly region: string) {}

  public name(request: SignedRequest): string { return targetOf(request); }

  public operation(name: string, request: SignedRequest): Operation | undefined {
    if (name !== 'GetParameter') return undefined;
    const { Name = '' } = jsonOf<{ Name?: string }>(request);
    return {
      permissions: [{ action: 'ssm:GetParameter', resource: `arn:aws:ssm:${this.region}:${this.account}:parameter${Name}` }],
      run: () => {
        const Value = this.parameters.get(Name);
        if (Value === undefined) throw new ServiceError('ParameterNotFound', `there is no parameter ${Name}`);
        return { body: { Parameter: { Name, Type: 'String', Value, Version: 1 } } };
      },
    };
  }
}
