/** `junfeiai completion`: scripts that complete commands and options, made from the list of commands. */
import { COMMANDS, HELP, VERSION, type Command, type Option } from "./arguments.js";
import { write } from "./output.js";

const optionsOf = ({ groups }: Command): Option[] => [HELP, ...groups.flatMap((group) => group.options)];
const signsOf = ({ name, short }: Option): string[] => [`--${name}`, ...(short === undefined ? [] : [`-${short}`])];
/** What is the name of a file is completed as one. */
const isPath = ({ metavar = "" }: Option): boolean => /FILE|DIR/.test(metavar);
const takesValue = ({ type }: Option): boolean => type !== "flag" && type !== "count";
const names = COMMANDS.map(({ name }) => name);

function bash(): string {
  const everywhere = [HELP, VERSION, ...COMMANDS.find(({ name }) => name === "get")!.groups.flatMap(({ options }) => options)];
  const every = new Map(COMMANDS.flatMap(optionsOf).map((option) => [option.name, option]));
  const behind = [...every.values()].filter(takesValue).map((option) => {
    const what = option.choices ? `compgen -W "${option.choices.join(" ")}" -- "$word"` : isPath(option) ? 'compgen -f -- "$word"' : "";
    return `    ${signsOf(option).join("|")}) ${what ? `mapfile -t COMPREPLY < <(${what})` : "COMPREPLY=()"}; return;;`;
  });
  const options = COMMANDS.map((command) => `    ${command.name}) options="${optionsOf(command).flatMap(signsOf).join(" ")}";;`);
  const given = COMMANDS.flatMap(({ name, arguments: all }) => all.filter(({ choices }) => choices).map(({ choices }) => `    ${name}) words="${choices!.join(" ")}";;`));
  return `_junfeiai() {
  local word="\${COMP_WORDS[COMP_CWORD]}" before="\${COMP_WORDS[COMP_CWORD-1]}" command="" options="" words="" one
  for one in "\${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
    case " ${names.join(" ")} " in *" $one "*) command="$one"; break;; esac
  done
  case "$before" in
${behind.join("\n")}
  esac
  case "$command" in
    "") options="${everywhere.flatMap(signsOf).join(" ")}"; words="${names.join(" ")}";;
${options.join("\n")}
  esac
  case "$command" in
${given.join("\n")}
  esac
  if [[ "$word" == -* ]]; then mapfile -t COMPREPLY < <(compgen -W "$options" -- "$word")
  elif [[ -n "$words" ]]; then mapfile -t COMPREPLY < <(compgen -W "$words" -- "$word")
  else mapfile -t COMPREPLY < <(compgen -f -- "$word"); fi
}
complete -o filenames -F _junfeiai junfeiai
`;
}

const brief = (text: string): string => text.split(/[;.(]/, 1)[0]!.trim().replaceAll(/['\\[\]:"$\`]/g, "");

function zsh(): string {
  const spec = (option: Option): string[] => signsOf(option).map((sign) => {
    const value = option.choices ? `:value:(${option.choices.join(" ")})` : isPath(option) ? ":file:_files" : takesValue(option) ? ":value: " : "";
    return `'${option.type === "list" || option.type === "count" ? "*" : ""}${sign}[${brief(option.help)}]${value}'`;
  });
  const branches = COMMANDS.map((command) => {
    const given = command.arguments.map(({ choices, metavar = "" }) => `'*:argument:${choices ? `(${choices.join(" ")})` : metavar.includes("FILE") ? "_files" : " "}'`);
    return `    ${command.name}) _arguments ${[...optionsOf(command).flatMap(spec), ...given.slice(0, 1)].join(" ")};;`;
  });
  return `#compdef junfeiai
_junfeiai() {
  local -a commands=(${COMMANDS.map(({ name, help }) => `'${name}:${brief(help)}'`).join(" ")})
  local at=2
  while (( at < CURRENT )) && [[ "\${words[at]}" == -* ]]; do (( at++ )); done
  if (( at >= CURRENT )); then _describe command commands; return; fi
  local command="\${words[at]}"
  words=("\${words[@]:$((at-1))}"); (( CURRENT -= at - 1 ))
  case "$command" in
${branches.join("\n")}
  esac
}
compdef _junfeiai junfeiai
`;
}

function fish(): string {
  const lines = COMMANDS.map(({ name, help }) => `complete -c junfeiai -n __fish_use_subcommand -f -a ${name} -d '${brief(help)}'`);
  for (const command of COMMANDS) {
    const when = `-n '__fish_seen_subcommand_from ${command.name}'`;
    for (const option of optionsOf(command)) {
      const value = option.choices ? ` -x -a '${option.choices.join(" ")}'` : takesValue(option) ? (isPath(option) ? " -r -F" : " -x") : "";
      lines.push(`complete -c junfeiai ${when} -l ${option.name}${option.short === undefined ? "" : ` -s ${option.short}`}${value} -d '${brief(option.help)}'`);
    }
    for (const { choices } of command.arguments) if (choices) lines.push(`complete -c junfeiai ${when} -f -a '${choices.join(" ")}'`);
  }
  return `${lines.join("\n")}\n`;
}

export function completion(shell: string): number {
  write({ bash, zsh, fish }[shell]!());
  return 0;
}
