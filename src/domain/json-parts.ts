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

/** `{<head>,"<name>":[<items>],…}`, in parts. `head` has at least one member. An item is made with its part. */
export function* objectParts(head: object, lists: Readonly<Record<string, Iterable<object>>>): Generator<string> {
  let part = JSON.stringify(head).slice(0, -1);
  for (const [name, items] of Object.entries(lists)) {
    part += `,${JSON.stringify(name)}:[`;
    let separator = '';
    for (const item of items) {
      part += `${separator}${JSON.stringify(item)}`;
      separator = ',';
      if (part.length < PART_CHARACTERS) continue;
      yield part;
      part = '';
    }
    part += ']';
  }
  yield `${part}}`;
}
