// The Dockerfile, as far as its tests read it.
import { readFileSync } from 'node:fs';

export interface Instruction {
  readonly name: string;
  /** As it is written, on one line. */
  readonly text: string;
}

export interface Stage {
  readonly image: string;
  /** null: the last one has none. */
  readonly name: string | null;
  readonly instructions: readonly Instruction[];
}

export interface Copy {
  /** Name of a stage; null: from the checkout. */
  readonly from: string | null;
  readonly sources: readonly string[];
  readonly target: string;
}

/** Throws for an instruction before the first FROM other than ARG. */
export function readDockerfile(path = 'Dockerfile'): {
  readonly args: ReadonlyMap<string, string>;
  readonly stages: readonly Stage[];
} {
  const lines = readFileSync(path, 'utf8')
    .replace(/\\\n/g, ' ')
    .split('\n')
    .filter((line) => line.trim() !== '' && !line.startsWith('#'));
  const args = new Map<string, string>();
  const stages: { image: string; name: string | null; instructions: Instruction[] }[] = [];
  for (const line of lines) {
    const [, name = '', text = ''] = /^(\w+)\s+(.*)$/.exec(line) ?? [];
    if (name === 'FROM') {
      const [, image = '', stage = null] = /^(\S+)(?: AS (\S+))?$/.exec(text) ?? [];
      stages.push({
        image: image.replace(/\$\{(\w+)\}/, (_, arg) => args.get(arg) ?? ''),
        name: stage,
        instructions: [],
      });
    } else if (stages.length === 0) {
      if (name !== 'ARG') throw new Error(`${line}: before the first FROM`);
      const [arg = '', value = ''] = text.split('=');
      args.set(arg, value);
    } else stages.at(-1)?.instructions.push({ name, text });
  }
  return { args, stages };
}

export const textsOf = (stage: Stage, name: string): string[] =>
  stage.instructions.filter((one) => one.name === name).map(({ text }) => text);

export function copyOf(text: string): Copy {
  const words = text.split(/\s+/);
  const from = /^--from=(.*)$/.exec(words[0] ?? '')?.[1] ?? null;
  const paths = from === null ? words : words.slice(1);
  return { from, sources: paths.slice(0, -1), target: paths.at(-1) ?? '' };
}
