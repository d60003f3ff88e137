// What belongs to what within one extension, found without looking through all of its rows.
//
// EXTENSION-INDEX-1. An extension never changes once it is made, so what is derived from it is kept with it, and made when it is first
//     asked for: in time linear in its rows, however often it is asked.
import type { Extension, Instance, Version } from './extension.js';

const versionMaps = new WeakMap<readonly Version[], ReadonlyMap<string, Version>>();

/** undefined: there is no row of that name. */
export function versionOf({ versions }: Pick<Extension, 'versions'>, name: string): Version | undefined {
  if (versions.length === 0) return undefined;
  let byName = versionMaps.get(versions);
  if (byName === undefined) {
    byName = new Map(versions.map((version) => [version.version, version]));
    versionMaps.set(versions, byName);
  }
  return byName.get(name);
}

const instanceMaps = new WeakMap<readonly Instance[], ReadonlyMap<string, Instance>>();

/** undefined: there is no row of that id. */
export function instanceOf({ instances }: Pick<Extension, 'instances'>, id: string): Instance | undefined {
  let byId = instanceMaps.get(instances);
  if (byId === undefined) {
    byId = new Map(instances.map((instance) => [instance.id, instance]));
    instanceMaps.set(instances, byId);
  }
  return byId.get(id);
}

/** Instances by what decides which version they serve; each with its position among all of them. */
interface Assignment {
  readonly byVersion: ReadonlyMap<string, readonly number[]>;
  readonly bySubject: ReadonlyMap<string, readonly number[]>;
  readonly others: readonly number[];
  readonly versionsBySubject: ReadonlyMap<string, readonly Version[]>;
}

const assignments = new WeakMap<
  readonly Instance[],
  { readonly versions: readonly Version[]; readonly made: Assignment }
>();

/** The instances that serve a version: by name, else by subject, else the instances that fit no version serve `extensions.version`. */
export function instancesOf(extension: Extension, { version, subject }: Version): readonly Instance[] {
  const { instances } = extension;
  if (instances.length === 0) return instances;
  const { byVersion, bySubject, others } = assignmentOf(extension);
  const parts = [byVersion.get(version), bySubject.get(subject), version === extension.version ? others : undefined];
  const [first = [], ...more] = parts.flatMap((part) => (part === undefined || part.length === 0 ? [] : [part]));
  if (first.length === instances.length) return instances;
  const places = more.length === 0 ? first : [...first, ...more.flat()].sort((a, b) => a - b);
  return places.map((place) => instances[place] as Instance);
}

/** Names of the versions that an instance answers for, whether there is such a version or not. */
export function versionsServedBy(extension: Extension, { version, subject }: Instance): string[] {
  if (version !== null) return [version];
  const bySubject = assignmentOf(extension).versionsBySubject.get(subject);
  if (bySubject === undefined) return [extension.version];
  const isOwnRow = extension.subject === subject && versionOf(extension, extension.version) === undefined;
  return [...bySubject.map((one) => one.version), ...(isOwnRow ? [extension.version] : [])];
}

function assignmentOf({ versions, instances }: Extension): Assignment {
  const known = assignments.get(instances);
  if (known !== undefined && known.versions === versions) return known.made;
  const versionsBySubject = new Map<string, Version[]>();
  for (const version of versions) push(versionsBySubject, version.subject, version);
  const byVersion = new Map<string, number[]>();
  const bySubject = new Map<string, number[]>();
  const others: number[] = [];
  instances.forEach(({ version, subject }, place) => {
    if (version !== null) push(byVersion, version, place);
    else if (versionsBySubject.has(subject)) push(bySubject, subject, place);
    else others.push(place);
  });
  const made = { byVersion, bySubject, others, versionsBySubject };
  assignments.set(instances, { versions, made });
  return made;
}

function push<T>(lists: Map<string, T[]>, key: string, item: T): void {
  const list = lists.get(key);
  if (list === undefined) lists.set(key, [item]);
  else list.push(item);
}
