// `…`: what else may be done. A button that opens a list of buttons; arrows move, Escape closes, focus returns.
import { useSignal } from '@preact/signals';
import { useEffect, useRef } from 'preact/hooks';

interface MenuItem {
  readonly label: string;
  readonly run: () => void;
}

export function Menu({ label, items }: { readonly label: string; readonly items: readonly MenuItem[] }) {
  const isOpen = useSignal(false);
  const root = useRef<HTMLSpanElement>(null);
  const button = useRef<HTMLButtonElement>(null);
  useEffect(() => {
    if (!isOpen.value) return;
    const closeOutside = (event: Event) => {
      if (!root.current?.contains(event.target as Node)) isOpen.value = false;
    };
    document.addEventListener('pointerdown', closeOutside);
    return () => document.removeEventListener('pointerdown', closeOutside);
  }, [isOpen.value]);
  const close = (keepsFocus: boolean) => {
    isOpen.value = false;
    if (keepsFocus) button.current?.focus();
  };
  return (
    <span class="menu" ref={root}>
      <button
        type="button"
        ref={button}
        class="quiet"
        aria-haspopup="menu"
        aria-expanded={isOpen.value}
        aria-label={label}
        title={label}
        onClick={() => {
          isOpen.value = !isOpen.value;
        }}
      >
        …
      </button>
      {isOpen.value ? <Items items={items} onClose={close} /> : null}
    </span>
  );
}

interface ItemsProps {
  readonly items: readonly MenuItem[];
  readonly onClose: (keepsFocus: boolean) => void;
}

function Items({ items, onClose }: ItemsProps) {
  const list = useRef<HTMLSpanElement>(null);
  const buttons = () => [...(list.current?.querySelectorAll('button') ?? [])];
  useEffect(() => buttons()[0]?.focus(), []);
  const onKeyDown = (event: KeyboardEvent) => {
    event.stopPropagation();
    const all = buttons();
    const at = all.indexOf(document.activeElement as HTMLButtonElement);
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (event.key === 'Tab') return onClose(false);
    if (event.key === 'Escape') onClose(true);
    else if (step !== undefined) all[(at + step + all.length) % all.length]?.focus();
    else return;
    event.preventDefault();
  };
  return (
    <span class="menu-items" role="menu" tabIndex={-1} ref={list} onKeyDown={onKeyDown}>
      {items.map(({ label, run }) => (
        <button
          key={label}
          type="button"
          role="menuitem"
          onClick={() => {
            onClose(true);
            run();
          }}
        >
          {label}
        </button>
      ))}
    </span>
  );
}
