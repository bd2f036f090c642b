import * as lambda from 'aws-cdk-lib/aws-lambda';
import { Construct } from 'constructs';
import { HandlerFunction, handlerCode } from '../handler/handler-function';
import { handlerName } from '../scope/names';

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

  private constructor(private readonly make: (scope: Construct, controlsName: string) => lambda.IFunction) {}

  /** @internal */
  public _function(scope: Construct, controlsName: string): lambda.IFunction { return this.make(scope, controlsName); }
}
