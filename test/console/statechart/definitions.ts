// Definitions of machines as they come over the wire.
import { type AnyStateMachine, createActor, createMachine } from 'xstate';
import { actorFrame } from '../../../src/inspector/frames.js';

const stamp = { name: 'a', boot: 'b', atMs: 0, epochOf: () => 0 };

export function definitionOf({ id, config }: AnyStateMachine): string {
  const frame = actorFrame(stamp, config, createActor(createMachine({ id })).getSnapshot());
  return (JSON.parse(frame) as { definition: string }).definition;
}
