// A JSON object with a long list, as text in parts: each of about 32 KiB, or of one item.

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
