/** The scripts of `berth completion SHELL`: each asks the program itself, which knows its own words. */

export const shells = ['bash', 'zsh', 'fish'] as const;
export type Shell = (typeof shells)[number];

/** What `eval` or the shell's folder of completions takes, for a program of this name. */
export function completionScript(shell: Shell, program: string): string {
  const own = program.replace(/\W/g, '_');
  return scripts[shell].replaceAll('PROGRAM', program).replaceAll('OWN', own);
}

/** The last line is `:` and a number: 2, no space after the word; 4, no files. */
const scripts: Readonly<Record<Shell, string>> = {
  bash: `# bash: source <(PROGRAM completion bash)
__OWN_complete() {
  local words answer directive line
  words=("\${COMP_WORDS[@]:1:COMP_CWORD}")
  answer=$(PROGRAM __complete "\${words[@]}" 2>/dev/null) || return
  directive=\${answer##*:}
  COMPREPLY=()
  while IFS=$'\\t' read -r line _; do
    [[ $line == :* ]] && continue
    [[ $line == "\${COMP_WORDS[COMP_CWORD]}"* ]] && COMPREPLY+=("$line")
  done <<<"$answer"
  (( directive & 2 )) && compopt -o nospace
  if (( ! (directive & 4) && \${#COMPREPLY[@]} == 0 )); then compopt -o default; fi
}
complete -F __OWN_complete PROGRAM
`,
  zsh: `#compdef PROGRAM
# zsh: source <(PROGRAM completion zsh)
__OWN_complete() {
  local answer directive line
  local -a found
  answer=$(PROGRAM __complete "\${(@)words[2,CURRENT]}" 2>/dev/null) || return
  directive=\${answer##*:}
  for line in \${(f)answer}; do
    [[ $line == :* ]] && continue
    found+=("\${\${line//:/\\\\:}/$'\\t'/:}")
  done
  if (( \${#found} )); then
    if (( directive & 2 )); then _describe -V PROGRAM found -S ''; else _describe -V PROGRAM found; fi
  elif (( ! (directive & 4) )); then
    _files
  fi
}
compdef __OWN_complete PROGRAM
`,
  fish: `# fish: PROGRAM completion fish | source
function __OWN_complete
  set -l words (commandline -opc) (commandline -ct)
  for line in (PROGRAM __complete $words[2..-1] 2>/dev/null)
    string match -q ':*' -- $line; and continue
    echo $line
  end
end
complete -c PROGRAM -f -a '(__OWN_complete)'
`,
};
