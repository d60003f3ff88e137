// `extreg completion bash|zsh|fish`: a script for the shell, which asks `extreg __complete` (complete.ts).
import { Argument, Command } from '#commander';
import type { CommandFactory } from '../options/command-definition.js';
import { addExamples } from '../options/examples.js';

const SHELLS = ['bash', 'zsh', 'fish'] as const;

/** `extreg` is what the operator calls, also by its path. What it prints is a candidate a line. */
const SCRIPTS: Readonly<Record<(typeof SHELLS)[number], string>> = {
  bash: `_extreg() {
  local words=("\${COMP_WORDS[@]:1:COMP_CWORD}") candidate
  COMPREPLY=()
  while IFS= read -r candidate; do COMPREPLY+=("$candidate"); done < <("\${COMP_WORDS[0]}" __complete "\${words[@]}" 2>/dev/null)
}
complete -o default -F _extreg extreg
`,
  zsh: `#compdef extreg
_extreg() {
  local -a candidates
  candidates=("\${(@f)$("\${words[1]}" __complete "\${(@)words[2,CURRENT]}" 2>/dev/null)}")
  candidates=(\${candidates:#})
  if (( \${#candidates} )); then compadd -- "\${candidates[@]}"; else _files; fi
}
compdef _extreg extreg
`,
  fish: `function __extreg_complete
  set -l words (commandline -opc) (commandline -ct)
  $words[1] __complete $words[2..-1] 2>/dev/null
end
complete -c extreg -f -a '(__extreg_complete)'
`,
};

export const completionCommand: CommandFactory = (io) => ({
  command: addExamples(
    new Command('completion').addArgument(new Argument('<shell>', 'whose').choices(SHELLS)),
    'source <(extreg completion bash)                      in ~/.bashrc',
    'extreg completion zsh > ~/.zfunc/_extreg                in a directory of fpath',
    'extreg completion fish > ~/.config/fish/completions/extreg.fish',
  ),
  settings: 'none',
  action: async (shell: (typeof SHELLS)[number]) => {
    io.stdout.write(SCRIPTS[shell]);
  },
});
