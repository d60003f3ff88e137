// Entity tags of conditional requests (RFC 9110, 13.1.2).

/** Whether If-None-Match has this tag, weak or not, or `*`. `tag`: without quotes. */
export function hasTag(ifNoneMatch: string | undefined, tag: string): boolean {
  const tags = (ifNoneMatch ?? '').split(',').map((one) => one.trim());
  return tags.some((one) => one === '*' || /^(?:W\/)?"([^"]*)"$/.exec(one)?.[1] === tag);
}
