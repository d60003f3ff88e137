// A machine as its definition says: states, transitions and where they lead. The definition is what a frame `@xstate.actor` carries: the machine's
// configuration as JSON, without implementations.
//
// DEFINITION-1. States, ids, event names, order and targets are those of xstate's createMachine; test/console/statechart holds the two side by side.

export type Json = null | boolean | number | string | readonly Json[] | { readonly [name: string]: Json };

export interface StateNode {
  /** Unique in the machine, as targets name it: `breaker.closed.steady`, or what the definition gives. */
  readonly id: string;
  readonly key: string;
  /** Keys from the root, which has none. */
  readonly path: readonly string[];
  readonly type: 'atomic' | 'compound' | 'parallel' | 'final' | 'history';
  readonly parent: StateNode | null;
  readonly children: readonly StateNode[];
  readonly initial: StateNode | null;
  readonly entry: readonly string[];
  readonly exit: readonly string[];
  /** In the order in which they are tried, those without an event (`always`) last. */
  readonly transitions: readonly Transition[];
}

export interface Transition {
  /** Unique in the machine. */
  readonly key: string;
  readonly source: StateNode;
  /** As frames name it: `attempt.failed`, `xstate.after.openTime.breaker.open`; '' for `always`. */
  readonly event: string;
  readonly kind: 'on' | 'after' | 'always' | 'done';
  /** Of `after`: its name, or milliseconds. */
  readonly delay: string | null;
  readonly guard: string | null;
  readonly actions: readonly string[];
  /** Empty: it stays where it is and leaves nothing. */
  readonly targets: readonly StateNode[];
  readonly reenter: boolean;
}

export interface Machine {
  readonly root: StateNode;
  /** In document order, the root first. */
  readonly nodes: readonly StateNode[];
  readonly transitions: readonly Transition[];
}

interface Config {
  readonly id?: string;
  readonly type?: StateNode['type'];
  readonly initial?: Json;
  readonly states?: Readonly<Record<string, Config>>;
  readonly on?: Readonly<Record<string, Json>>;
  readonly after?: Readonly<Record<string, Json>>;
  readonly always?: Json;
  readonly onDone?: Json;
  readonly invoke?: Json;
  readonly entry?: Json;
  readonly exit?: Json;
}

type Draft = { -readonly [K in keyof StateNode]: StateNode[K] };

/** Throws on a definition with a target that is no state of it. */
export function machineOf(definition: string): Machine {
  const config = JSON.parse(definition) as Config;
  const nodes: Draft[] = [];
  const configs = new Map<Draft, Config>();
  const id = config.id ?? '(machine)';
  const root = nodeOf(config, { key: id, id, path: [], parent: null }, (node, one) => {
    nodes.push(node);
    configs.set(node, one);
  });
  const find = finder(nodes);
  for (const [node, one] of configs) {
    if (node.initial === null && one.initial !== undefined)
      node.initial = find(node, `.${text(field(one.initial, 'target') ?? one.initial)}`);
    node.transitions = transitionsOf(node, one, find);
  }
  return { root, nodes, transitions: nodes.flatMap((node) => node.transitions) };
}

function nodeOf(
  config: Config,
  own: Pick<StateNode, 'key' | 'id' | 'path' | 'parent'>,
  add: (node: Draft, config: Config) => void,
): Draft {
  const states = Object.entries(config.states ?? {});
  const node: Draft = {
    ...own,
    type: config.type ?? (states.length > 0 ? 'compound' : 'atomic'),
    children: [],
    initial: null,
    entry: namesOf(config.entry),
    exit: namesOf(config.exit),
    transitions: [],
  };
  add(node, config);
  node.children = states.map(([key, child]) => {
    const path = [...own.path, key];
    const root = rootOf(node);
    return nodeOf(child, { key, id: child.id ?? [root.id, ...path].join('.'), path, parent: node }, add);
  });
  return node;
}

const rootOf = (node: StateNode): StateNode => (node.parent === null ? node : rootOf(node.parent));

type Find = (from: StateNode, target: string) => StateNode;

/** As xstate: `#id` anywhere, with a path behind it; `.child` below the source; else a sibling of the source. */
function finder(nodes: readonly StateNode[]): Find {
  const byId = new Map(nodes.map((node) => [node.id, node]));
  const below = (node: StateNode | null | undefined, path: readonly string[], target: string): StateNode => {
    const found = path.reduce<StateNode | null | undefined>(
      (at, key) => at?.children.find((child) => child.key === key),
      node,
    );
    if (!found) throw new Error(`the definition has no state '${target}'`);
    return found;
  };
  return (from, target) => {
    if (target.startsWith('.')) return below(from, target.slice(1).split('.'), target);
    if (!target.startsWith('#')) return below(from.parent, target.split('.'), target);
    const whole = byId.get(target.slice(1));
    if (whole !== undefined) return whole;
    const [id = '', ...path] = target.slice(1).split('.');
    return below(byId.get(id), path, target);
  };
}

function transitionsOf(node: StateNode, config: Config, find: Find): Transition[] {
  const found: Transition[] = [];
  const add = (event: string, kind: Transition['kind'], delay: string | null, given: Json | undefined): void => {
    for (const one of listOf(given)) {
      const target = typeof one === 'string' ? one : field(one, 'target');
      found.push({
        key: `${node.id} ${event} ${found.length}`,
        source: node,
        event,
        kind,
        delay,
        guard: nameOf(field(one, 'guard')),
        actions: namesOf(field(one, 'actions')),
        targets: listOf(target).map((name) => find(node, text(name))),
        reenter: field(one, 'reenter') === true,
      });
    }
  };
  for (const [event, given] of Object.entries(config.on ?? {})) add(event, 'on', null, given);
  if (config.onDone !== undefined) add(`xstate.done.state.${node.id}`, 'done', null, config.onDone);
  for (const [i, invoked] of listOf(config.invoke).entries()) {
    const id = text(field(invoked, 'id') ?? `${i}.${node.id}`);
    add(`xstate.done.actor.${id}`, 'done', null, field(invoked, 'onDone'));
    add(`xstate.error.actor.${id}`, 'done', null, field(invoked, 'onError'));
    add(`xstate.snapshot.${id}`, 'done', null, field(invoked, 'onSnapshot'));
  }
  for (const [delay, given] of Object.entries(config.after ?? {}))
    add(`xstate.after.${delay}.${node.id}`, 'after', delay, given);
  add('', 'always', null, config.always);
  return found;
}

const text = (value: Json): string => String(value);

function field(value: Json | undefined, name: string): Json | undefined {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
    ? (value as { readonly [name: string]: Json })[name]
    : undefined;
}

function listOf(value: Json | undefined): readonly Json[] {
  if (value === undefined || value === null) return [];
  return Array.isArray(value) ? value : [value as Json];
}

const nameOf = (value: Json | undefined): string | null =>
  value === undefined || value === null ? null : text(field(value, 'type') ?? value);

const namesOf = (value: Json | undefined): string[] => listOf(value).map((one) => nameOf(one) ?? '');
