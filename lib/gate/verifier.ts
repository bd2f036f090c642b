import { ArnFormat, Duration, Stack } from 'aws-cdk-lib';
import * as iam from 'aws-cdk-lib/aws-iam';
import * as lambda from 'aws-cdk-lib/aws-lambda';
import { Construct } from 'constructs';
import { HandlerFunction, handlerCode } from '../handler/handler-function';
import { AppIndex } from '../registration/app-index';
import { IModelGateway } from '../residency/model-gateway';
import { ControlsError } from '../scope/controls-error';
import { handlerName } from '../scope/names';

/** Longest policy: it is handed to the function in its environment. */
const LONGEST_POLICY = 3_000;

/** Options of a verifier that is a model. */
export interface ModelVerifierProps {
  /** Gateway that it asks through. @default - that of the control plane it verifies for; `AgentControls` makes it where it has a `residency` */
  readonly gateway?: IModelGateway;
  /** Provider of the residency policy, or `provider/model` where it has several. */
  readonly modelId: string;
  /** What it is to refuse, in plain sentences: up to 3,000 bytes. Verdicts name its digest. */
  readonly policy: string;
}

/**
 * A second agent that reads a proposal as data and answers approve or not. It answers holds of a `verify` tier only, those that nothing is
 * doubtful of; it can lower what the gate allowed, and never raise it.
 */
export class Verifier {
  /**
   * A function that gets the proposal and answers `{ verdict: 'approve' | 'reject' | 'unsure', reason, version? }`. Its time-out, its error,
   * an answer that is none, and doubt leave the hold to people.
   */
  public static function(fn: lambda.IFunction): Verifier { return new Verifier(() => fn); }

  /**
   * Rules instead of a model: refuses text that leads where the request does not, is unsure of text that presses, approves the rest. Gives the
   * same answer to the same call, deployed and on one machine.
   */
  public static rules(): Verifier {
    return new Verifier((scope, controlsName) => new HandlerFunction(scope, 'Rules', { functionName: handlerName(controlsName, 'rule-verifier'), code: handlerCode('rule-verifier'), description: 'Verifies proposals by rules' }).function);
  }

  /**
   * A model behind the model gateway. It is shown the call as it is declared and staged, texts as data between marks, and nothing that the agent says
   * for itself; what the run behind the call has read counts for what the model may see. No answer, another answer than a verdict, and a class that is
   * blocked leave the hold to people. Every verdict names the model and the digest of what it was told.
   *
   * @throws `VerifierPolicyInvalid`; at synth `GatewayMissing` and `ProviderUnknown`
   */
  public static model(props: ModelVerifierProps): Verifier {
    const { policy, modelId, gateway } = props;
    if (policy.trim() === '' || Buffer.byteLength(policy) > LONGEST_POLICY) throw new ControlsError('VerifierPolicyInvalid', `a policy has 1 to ${LONGEST_POLICY} bytes of text, got ${Buffer.byteLength(policy)}; say what is to be refused in plain sentences`);
    return new Verifier((scope, controlsName) => {
      const stack = Stack.of(scope);
      const gatewayName = handlerName(controlsName, 'gateway');
      const verifier = new HandlerFunction(scope, 'Model', {
        functionName: handlerName(controlsName, 'model-verifier'), code: handlerCode('model-verifier'), description: 'Verifies proposals by a model', timeout: Duration.seconds(28),
        environment: { VERIFIER_MODEL: modelId, VERIFIER_POLICY: policy, GATEWAY_FUNCTION: gatewayName },
      });
      verifier.role.addToPrincipalPolicy(new iam.PolicyStatement({ actions: ['lambda:InvokeFunction'], resources: [stack.formatArn({ service: 'lambda', resource: 'function', resourceName: gatewayName, arnFormat: ArnFormat.COLON_RESOURCE_NAME })] }));
      scope.node.addValidation({ validate: () => {
        const known = AppIndex.of(scope).gateway(controlsName);
        const faults = !known || (gateway && gateway.node.path !== known.path) ? [new ControlsError('GatewayMissing', `${scope.node.path}: the verifier asks a model, and ${gateway ? `${gateway.node.path} is no gateway of ${controlsName}` : `${controlsName} has no model gateway`}; give AgentControls a residency, or make a ModelGateway with its broker`)]
          : known.providers.includes(modelId.split('/')[0] ?? '') ? [] : [new ControlsError('ProviderUnknown', `${scope.node.path}: the verifier asks ${modelId}, and the residency policy has ${known.providers.join(', ')}; name one of them`)];
        return faults.map(({ message }) => message);
      } });
      return verifier.function;
    });
  }

  private constructor(private readonly make: (scope: Construct, controlsName: string) => lambda.IFunction) {}

  /** @internal */
  public _function(scope: Construct, controlsName: string): lambda.IFunction { return this.make(scope, controlsName); }
}
