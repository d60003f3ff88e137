// A JSON object with long lists, as text in parts: each of about 32 KiB, or of one item.

const PART_CHARACTERS = 32_768;

/** `{"<name>":[<items>],<rest>}`, in parts. `items`: JSON texts. */
export function* jsonParts(name: string, items: readonly string[], rest: object): Generator<string> {
  let part = `{${JSON.stringify(name)}:[`;
  for (let i = 0; i < items.length; i++) {
    part += `${i === 0 ? '' : ','}${items[i]}`;
    if (part.length < PART_CHARACTERS) continue;
    yield part;
    part = '';
  }
  const end = JSON.stringify(rest);
  yield `${part}]${end === '{}' ? '' : `,${end.slice(1, -1)}`}}`;
}

/**
 * `{<head>,"<name>":[<items>],…}`, in parts. An item is made with its part. `write`: how head and items are written; as JSON unless
 * given.
 */
export function* objectParts(
  head: object,
  lists: Readonly<Record<string, Iterable<object | null>>>,
  write: (value: object | null) => string = JSON.stringify,
): Generator<string> {
  let part = write(head).slice(0, -1);
  for (const [name, items] of Object.entries(lists)) {
    part += `${part === '{' ? '' : ','}${JSON.stringify(name)}:[`;
    let separator = '';
    for (const item of items) {
      part += `${separator}${write(item)}`;
      separator = ',';
      if (part.length < PART_CHARACTERS) continue;
      yield part;
      part = '';
    }
    part += ']';
  }
  yield `${part}}`;
}

/** Each is made when it is asked for: a list may have thousands of items. */
export function* mapped<From, To>(all: Iterable<From>, to: (one: From) => To): Generator<To> {
  for (const one of all) yield to(one);
}
