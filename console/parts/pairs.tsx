// Keys and values that are typed: a context, headers.
interface PairsProps {
  readonly legend: string;
  readonly pairs: readonly (readonly [key: string, value: string])[];
  readonly onChange: (pairs: readonly (readonly [string, string])[]) => void;
  /** Keys that are suggested. */
  readonly known?: readonly string[];
}

export function Pairs({ legend, pairs, onChange, known = [] }: PairsProps) {
  const list = `keys-${legend.replaceAll(/\W/g, '-')}`;
  const change = (at: number, pair: readonly [string, string]) =>
    onChange(pairs.map((one, i) => (i === at ? pair : one)));
  return (
    <fieldset class="pairs">
      <legend>{legend}</legend>
      <datalist id={list}>
        {known.map((key) => (
          <option key={key} value={key} />
        ))}
      </datalist>
      {pairs.map(([key, value], i) => (
        <div key={i}>
          <input
            aria-label={`${legend}: key ${i + 1}`}
            list={list}
            placeholder="key"
            value={key}
            onInput={({ currentTarget }) => change(i, [currentTarget.value, value])}
          />
          <input
            aria-label={`${legend}: value ${i + 1}`}
            placeholder="value"
            value={value}
            onInput={({ currentTarget }) => change(i, [key, currentTarget.value])}
          />
          <button
            type="button"
            class="quiet"
            aria-label={`Remove ${key === '' ? `pair ${i + 1}` : key}`}
            onClick={() => onChange(pairs.filter((_, j) => j !== i))}
          >
            ✕
          </button>
        </div>
      ))}
      <button type="button" class="quiet" onClick={() => onChange([...pairs, ['', '']])}>
        Add
      </button>
    </fieldset>
  );
}

export const CONTEXT_KEYS = ['tenant_id', 'policy_id', 'environment', 'routing_key'] as const;
export const filled = (pairs: PairsProps['pairs']): [string, string][] =>
  pairs.filter(([key]) => key.trim() !== '').map(([key, value]) => [key.trim(), value]);
