// The name of a replica: what operators read, and what stewards are chosen by.
//
// REPLICA-ID-1. A name is as REPLICA_ID of registry/subject-rules.ts wants it, whatever the machine is called.

const MAX_LENGTH = 64;

/** `host`: the machine's name; `suffix`: 1..16 characters that make it unique on the machine. */
export function replicaIdOf(host: string, suffix: string): string {
  const plain = host.replaceAll(/[^A-Za-z0-9_-]+/g, '-').replaceAll(/^-+|-+$/g, '');
  return suffixed(plain === '' ? 'replica' : plain, suffix);
}

/** The name of the younger of two replicas that have the same one: unique by its incarnation. */
export const distinctId = (id: string, incarnation: string): string => suffixed(id, incarnation.slice(0, 8));

const suffixed = (name: string, suffix: string): string => `${name.slice(0, MAX_LENGTH - suffix.length - 1)}-${suffix}`;
