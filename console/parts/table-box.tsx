// A table that may be wider than the screen: it scrolls in its own box, by keys too.
import type { ComponentChildren } from 'preact';

export function TableBox({ label, children }: { readonly label: string; readonly children: ComponentChildren }) {
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls sideways can be scrolled by keys
    <section class="table-box" tabIndex={0} aria-label={label}>
      {children}
    </section>
  );
}
