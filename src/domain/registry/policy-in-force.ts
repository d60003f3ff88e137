// A policy with everything that it leaves open, and what decides each setting: for those who read it.
import type { JsonMap } from '../exact-json.js';
import { type breakerSettingsInForce, type ExtensionPolicy, policySchema } from './policy.js';

/** `default`: nothing names it, and no setting of the daemon has it. */
export const POLICY_SOURCES = ['policy', 'column', 'configuration', 'default'] as const;
type PolicySource = (typeof POLICY_SOURCES)[number];

/** By the names of the policy; settings within another are nested likewise. */
type Sources = { readonly [name: string]: PolicySource | Sources };

export interface PolicyInForce {
  /** null: there is no such limit, subject or check. */
  readonly effective: JsonMap;
  readonly from: Sources;
}

/** `breaker`: as breakerSettingsInForce has it. */
export function policyInForce(
  policy: ExtensionPolicy,
  breaker: ReturnType<typeof breakerSettingsInForce>,
): PolicyInForce {
  const { breaker: _, ...properties } = policySchema.properties;
  const others = inForce(properties as Schemas, policy as Named);
  const settings = Object.entries(breaker);
  const effective = Object.fromEntries(settings.map(([name, { value }]) => [name, value]));
  const from = Object.fromEntries(settings.map(([name, setting]) => [name, setting.from]));
  return { effective: { ...others.effective, breaker: effective }, from: { ...others.from, breaker: from } };
}

type Named = Readonly<Record<string, unknown>>;
type Schemas = Readonly<Record<string, SettingSchema>>;
interface SettingSchema {
  readonly properties?: Schemas;
  readonly default?: unknown;
}

function inForce(properties: Schemas, given: Named): PolicyInForce {
  const effective: Record<string, unknown> = {};
  const from: Record<string, PolicySource | Sources> = {};
  for (const [name, { properties: within, default: usual = null }] of Object.entries(properties)) {
    const value = given[name];
    // Without health_check there are no checks; `{}` is one with every default.
    if (within !== undefined && (value !== undefined || name !== 'health_check')) {
      const nested = inForce(within, (value ?? {}) as Named);
      effective[name] = nested.effective;
      from[name] = nested.from;
    } else {
      effective[name] = value ?? usual;
      from[name] = value === undefined ? 'default' : 'policy';
    }
  }
  return { effective: effective as JsonMap, from };
}
