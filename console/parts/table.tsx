// A table that may be wider than the screen: it scrolls in its own box, by keys too.
import type { ComponentChildren } from 'preact';

/** A name, and how its column stands: numbers to the right; `hidden`: the name is for screen readers. */
type Column = string | readonly [name: string, form: 'number' | 'hidden'];

interface TableProps {
  readonly label: string;
  /** Absent: rows have a head each, columns none. */
  readonly columns?: readonly Column[];
  readonly class?: string;
  /** Its rows. */
  readonly children: ComponentChildren;
}

export function Table({ label, columns = [], class: className, children }: TableProps) {
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls sideways can be scrolled by keys
    <section class="table-box" tabIndex={0} aria-label={label}>
      <table class={className}>
        {columns.length === 0 ? null : (
          <thead>
            <tr>
              {columns.map((column) => (
                <Head key={String(column)} column={column} />
              ))}
            </tr>
          </thead>
        )}
        <tbody>{children}</tbody>
      </table>
    </section>
  );
}

function Head({ column }: { readonly column: Column }) {
  const [name, form] = typeof column === 'string' ? [column] : column;
  return (
    <th class={form === 'number' ? form : undefined}>
      {form === 'hidden' ? <span class="visually-hidden">{name}</span> : name}
    </th>
  );
}
