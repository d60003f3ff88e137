// Where programs are.
import { accessSync, constants, statSync } from 'node:fs';
import { delimiter, join } from 'node:path';

export function isExecutable(path) {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false;
  }
}

export function pathDirectories(env) {
  return (env.PATH ?? '').split(delimiter).filter((part) => part !== '');
}

/** The first directory that holds all of the programs; null where none does. */
export function directoryOf(programs, directories) {
  return directories.find((directory) => programs.every((name) => isExecutable(join(directory, name)))) ?? null;
}

/** Whether the program is in PATH, or where Debian keeps what only root has in PATH. */
export function isInstalled(program, env) {
  return directoryOf([program], [...pathDirectories(env), '/usr/sbin', '/sbin']) !== null;
}
