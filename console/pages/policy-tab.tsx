// The policy of an extension: each setting as it is in force, what decides it, and what the row itself says.

import { useReading } from '../live/reading.js';
import { Unread } from '../parts/states.js';
import { Table } from '../parts/table.js';
import { NONE } from '../words/numbers.js';
import { valueText } from '../words/why.js';

type Tree = Readonly<Record<string, unknown>>;

interface Policy {
  readonly own: Tree;
  readonly effective: Tree | null;
  readonly from: Tree | string | null;
}

const FROM_WORDS: Readonly<Record<string, string>> = {
  policy: 'its policy',
  column: 'a threshold column',
  configuration: 'configuration of the daemon',
  default: 'default',
};

const isTree = (value: unknown): value is Tree => typeof value === 'object' && value !== null && !Array.isArray(value);

interface Line {
  readonly name: string;
  readonly effective: unknown;
  readonly own: unknown;
  readonly from: string;
}

/** Every setting with its path, in the order of the answer. */
function linesOf(effective: Tree, own: unknown, from: unknown, prefix = ''): Line[] {
  return Object.entries(effective).flatMap(([name, value]) => {
    const ownValue = isTree(own) ? own[name] : undefined;
    const source = isTree(from) ? from[name] : from;
    const path = `${prefix}${name}`;
    if (isTree(value) && isTree(source)) return linesOf(value, ownValue, source, `${path}.`);
    return [{ name: path, effective: value, own: ownValue, from: typeof source === 'string' ? source : '' }];
  });
}

export default function PolicyTab({ id }: { readonly id: string }) {
  const path = `/admin/extensions/${encodeURIComponent(id)}/policy`;
  const { value, problem, again } = useReading<Policy>(path, { every: 10_000 });
  if (value === null) return <Unread what="The policy" problem={problem} again={again} lines={12} />;
  if (value.effective === null) return <p>No valid row of this extension was ever read, so nothing is in force.</p>;
  return (
    <>
      <p class="dim">
        In force is what this daemon works by. To change one: extreg set {id} policy.breaker.failure_threshold=3
        --reason …
      </p>
      <Table label="Policy" columns={['Setting', 'In force', 'Own', 'Decided by']}>
        {linesOf(value.effective, value.own, value.from).map(({ name, effective, own, from }) => (
          <tr key={name} data-own={from === 'policy'}>
            <th scope="row">
              <code>{name}</code>
            </th>
            <td>{effective === null ? <span class="dim">none</span> : valueText(effective)}</td>
            <td>{own === undefined ? NONE : valueText(own)}</td>
            <td class={from === 'default' ? 'dim' : ''}>{FROM_WORDS[from] ?? from}</td>
          </tr>
        ))}
      </Table>
    </>
  );
}
