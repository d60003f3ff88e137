import murmurhash from 'murmurhash';
export const hashOf = (text: string): number => murmurhash.v3(text);
export function scoreOf(keyHash: number, memberHash: number, weight: number): number {
  let h = keyHash ^ memberHash;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  h = (h ^ (h >>> 16)) >>> 0;
  return weight === 0 ? 0 : -weight / Math.log((h + 0.5) / 4294967296);
}
