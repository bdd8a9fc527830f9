// The arrows of the house: which room may import which. README shows the picture; a new arrow is a decision, made here.
const arrows = {
  kit: [],
  linux: ['kit'],
  protos: ['kit'],
  kubelet: ['protos', 'kit'],
  deviceplugin: ['kubelet', 'linux', 'protos', 'kit'],
  cni: ['linux', 'kit'],
  csi: ['kubelet', 'linux', 'protos', 'kit'],
  agent: ['cni', 'deviceplugin', 'csi', 'kubelet', 'linux', 'protos', 'kit'],
  cluster: ['kit'],
};
const rooms = [...Object.keys(arrows), 'daemonset', 'scripts', 'test'];

module.exports = {
  forbidden: [
    ...Object.entries(arrows).map(([room, targets]) => ({
      name: `arrows-of-${room}`,
      comment: `${room} may import ${targets.length === 0 ? 'no other room' : targets.join(', ')}`,
      severity: 'error',
      from: { path: `^${room}/` },
      to: { path: `^(${rooms.filter((r) => r !== room && !targets.includes(r)).join('|')})/` },
    })),
    { name: 'no-circular', severity: 'error', from: { pathNot: '^protos/types/' }, to: { circular: true } },
    {
      name: 'no-orphans',
      comment: 'a module nobody imports',
      severity: 'error',
      from: {
        orphan: true,
        pathNot:
          '(\\.d\\.ts$|\\.test\\.ts$|^scripts/|^agent/page/assets/|/main\\.ts$|^protos/generate\\.ts$|\\.config\\.(ts|js)$|^test/)',
      },
      to: {},
    },
    {
      name: 'no-dev-dependency-at-run-time',
      severity: 'error',
      from: {
        path: '^(kit|linux|protos|kubelet|deviceplugin|cni|csi|agent)/',
        pathNot: '(\\.d\\.ts$|\\.test\\.ts$|^protos/generate\\.ts$|/fake/)',
      },
      to: { dependencyTypes: ['npm-dev'], dependencyTypesNot: ['type-only'] },
    },
    { name: 'not-to-unresolvable', severity: 'error', from: {}, to: { couldNotResolve: true } },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    enhancedResolveOptions: { exportsFields: ['exports'], conditionNames: ['import', 'node', 'default'] },
  },
};
