import { CompiledScope } from './compile';
import { Manifest, ParameterManifest } from './manifest';

/**
 * The Cedar schema that an agent's policies must validate against: which parameters each action has, and of which type. A policy that
 * compares what is not there would never permit, or always; the validator says so before anything is deployed.
 */
export function cedarSchema(scope: CompiledScope, manifests: readonly Manifest[]): object {
  const parametersOf = new Map(manifests.map(({ name, parameters }) => [name, parameters]));
  return {
    '': {
      entityTypes: { Agent: {}, Tool: {} },
      actions: Object.fromEntries(Object.entries(scope.tools).map(([name, { kind }]) => [name, {
        appliesTo: { principalTypes: ['Agent'], resourceTypes: ['Tool'], context: context(kind === 'action' ? parametersOf.get(name) as Manifest['parameters'] : {}) },
      }])),
    },
  };
}

function context(parameters: Readonly<Record<string, ParameterManifest>>): object {
  const texts = Object.entries(parameters).filter(([, parameter]) => cedarType(parameter).type === 'String');
  return record({
    parameters: record(Object.fromEntries(Object.entries(parameters).map(([name, parameter]) => [name, { ...cedarType(parameter), required: parameter.optional !== true }]))),
    lengths: record(Object.fromEntries(texts.map(([name, { optional }]) => [name, { type: 'Long', required: optional !== true }]))),
    columns: { type: 'Set', element: { type: 'String' } },
  });
}

function cedarType({ type }: ParameterManifest): { readonly type: string } {
  switch (type) {
    case 'integer': return { type: 'Long' };
    case 'flag': return { type: 'Boolean' };
    case 'money': return record({ currency: { type: 'String' }, minorUnits: { type: 'Long' } });
    default: return { type: 'String' };
  }
}

function record(attributes: Readonly<Record<string, object>>): { readonly type: string; readonly attributes: Readonly<Record<string, object>> } {
  return { type: 'Record', attributes };
}
