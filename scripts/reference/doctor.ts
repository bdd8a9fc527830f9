/** The text of docs/doctor.md: every probe of `berth doctor`, from the catalogue. */
import { catalogue } from '../../agent/doctor/catalogue.ts';
import type { Probe } from '../../agent/doctor/probe.ts';

function section({ id, title, why, mend }: Probe): string {
  return `<a id="${id}"></a>

### \`${id}\`

${title.slice(0, 1).toUpperCase()}${title.slice(1)}. ${why}

**What mends it:** ${mend}`;
}

/** The text of the page, before it is formatted. */
export function doctorPage(): string {
  const groups = catalogue.map(({ title, probes }) => `## ${title}\n\n${probes.map(section).join('\n\n')}`);
  return `<!-- Made by npm run generate from the catalogue of probes: change that. -->

# berth doctor

\`berth doctor\` looks at a node and says what is well, what is not, and what mends it: on a node without an agent, and in the
agent's own container (\`kubectl -n berth-system exec POD -- berth doctor\`). It starts no program and changes nothing; each
probe has four seconds, so that a disk or a server that does not answer is a finding and not the end.

\`--config FILE\` names the NodeConfig whose plugins are asked for (\`/etc/berth/config.yaml\` where there is one, else all with their
defaults), \`--only PLUGIN\` those of one container of several, \`--skip ID\` leaves out a probe or a group, \`--list\` names all,
\`-o json|yaml\` prints the same for programs. Exit codes: 0 nothing failed, 1 something did, 2 wrong arguments or a wrong NodeConfig.

A finding is \`pass\`, \`warning\`, \`failure\` or \`unknown\` with the reason, and carries what was read and where, and the command or
key that mends it. From inside a container some of the node is not to be seen (the configuration of the container runtime, \`/lib/modules\`);
on the node the Kubernetes API is known only with \`agent.kubeconfig\`.

${groups.join('\n\n')}
`;
}
