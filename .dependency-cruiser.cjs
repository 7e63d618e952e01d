// Who may import whom: layers, siblings, and the one folder that each outside library lives in. `node tools/house.mjs` runs it.

/** One folder (or few) may import a library; everybody else goes through what that folder offers. */
const HOMES = {
  'uWebSockets.js': '^services/gateway/src/uws/',
  dockerode: '^(services/worker/src/docker|packages/cli/src/infra|tests/src|loadtest/src)/',
  '@grpc/grpc-js': '^services/((gateway|worker)/src/grpc|gateway/src/testkit)/',
  '@bufbuild/protobuf': '^proto/src/gen/',
  ioredis: '^(packages/bus/src/connection[.]ts|tests/src/testkit/)',
  'ipaddr.js': '^services/gateway/src/admission/',
  pino: '^services/kit/src/',
  'prom-client': '^services/kit/src/',
  ws: '^(packages/cli/src/run|tests/src|loadtest/src)/',
  'playwright-core': '^tests/src/',
  // The wire's and the configuration's shapes are declared with it; code that only moves data has no need of it.
  typebox:
    '^(proto/src|services/kit/src|services/sandbox/src|services/(gateway|worker|engine-proxy)/src/config[.]ts|services/gateway/src/http|packages/cli/src/state[.]ts)',
};

/** The adapters of each service: named for what they wrap, they know the core below them and not each other. */
const ADAPTERS = 'uws|docker|grpc|stream|admission|http';
/** The core: knows neither an adapter nor an outside library. */
const CORE = 'session|routing|dispatch|run|output|subscription|pool|compile|health|selftest|policy';

const escape = (text) => text.replaceAll(/[.*+?^${}()|[\]\\/]/g, '\\$&');

module.exports = {
  /** Every folder in a service's src is in one of these; tools/house.mjs fails otherwise. */
  layers: new RegExp(`^(${ADAPTERS}|${CORE}|testkit)$`),
  forbidden: [
    { name: 'no-cycle', severity: 'error', from: {}, to: { circular: true } },
    { name: 'resolvable', severity: 'error', from: {}, to: { couldNotResolve: true } },
    {
      name: 'declared-dependency',
      comment: 'vitest is the whole workspace’s.',
      severity: 'error',
      from: {},
      to: { dependencyTypes: ['npm-no-pkg', 'npm-unknown'], pathNot: 'node_modules/vitest/' },
    },
    {
      name: 'proto-at-the-bottom',
      severity: 'error',
      from: { path: '^proto/' },
      to: { path: '^(services|packages|tests|loadtest)/' },
    },
    {
      name: 'kit-knows-proto-only',
      severity: 'error',
      from: { path: '^services/kit/', pathNot: '[.]test[.]ts$' },
      to: { path: '^(services/(?!kit/)|packages|tests|loadtest)' },
    },
    {
      name: 'bus-knows-kit-and-proto-only',
      severity: 'error',
      from: { path: '^packages/bus/', pathNot: '([.]test[.]ts$|/testkit/)' },
      to: { path: '^(services/(?!kit/)|packages/(?!bus/)|tests|loadtest)' },
    },
    {
      name: 'client-knows-types-of-proto-only',
      comment: 'It runs in browsers as it is. tools/house.mjs checks that these are imports of types.',
      severity: 'error',
      from: { path: '^packages/client/', pathNot: '[.]test[.]ts$' },
      to: { pathNot: '^(packages/client/|proto/dist/(frames|limits)[.]d[.]ts$)' },
    },
    {
      name: 'testkit-imports-no-package',
      severity: 'error',
      from: { path: '^packages/testkit/' },
      to: { path: '^(proto|services|packages/(?!testkit/)|tests|loadtest)/' },
    },
    {
      name: 'sandbox-imports-no-package',
      severity: 'error',
      from: { path: '^services/sandbox/' },
      to: { path: '^(proto|services/(?!sandbox/)|packages/(?!testkit/)|tests|loadtest)/' },
    },
    {
      name: 'services-apart',
      comment: 'Services meet on the wire; what they share is in kit, proto and sandbox.',
      severity: 'error',
      from: { path: '^services/(gateway|worker|engine-proxy|playground)/' },
      to: { path: '^(services/(?!kit/|sandbox/)|packages/(?!bus/|testkit/)|tests|loadtest)', pathNot: '^services/$1/' },
    },
    {
      name: 'packages-run-services-not-import-them',
      severity: 'error',
      from: { path: '^(packages|loadtest|tests)/' },
      to: { path: '^services/(gateway|worker|engine-proxy)/' },
    },
    {
      name: 'no-source-of-another-package',
      comment: 'Import @rungrid/NAME/file; a relative path into another package goes around its build.',
      severity: 'error',
      from: { path: '^(proto|loadtest|tests|(?:packages|services)/[^/]+)/' },
      to: { path: '^(proto|loadtest|tests|(packages|services)/[^/]+)/src/', pathNot: '^$1/' },
    },
    {
      name: 'adapters-apart',
      comment: 'http/types.ts is plain values: what the handlers of http and the server in uws give each other.',
      severity: 'error',
      from: { path: `^services/([^/]+)/src/(${ADAPTERS})/`, pathNot: '[.]test[.]ts$' },
      to: { path: `^services/$1/src/(${ADAPTERS})/`, pathNot: '^services/$1/src/($2/|http/types[.]ts$)' },
    },
    {
      name: 'wire-types-in-grpc-only',
      comment: 'The messages of runner.proto: grpc/ translates them to the types of the core.',
      severity: 'error',
      from: { path: '^services/gateway/src/', pathNot: '^services/gateway/src/(grpc|testkit)/' },
      to: { path: '^proto/(src|dist)/gen/' },
    },
    {
      name: 'core-below-adapters',
      severity: 'error',
      from: { path: `^services/[^/]+/src/(${CORE})/`, pathNot: '[.]test[.]ts$' },
      to: { path: `^services/[^/]+/src/((${ADAPTERS})/|(app|main|metrics)[.]ts$)` },
    },
    {
      name: 'adapters-below-app',
      severity: 'error',
      from: { path: `^services/[^/]+/src/(${ADAPTERS})/`, pathNot: '[.]test[.]ts$' },
      to: { path: '^services/[^/]+/src/(app|main)[.]ts$' },
    },
    {
      name: 'no-tests-in-programs',
      severity: 'error',
      from: { pathNot: '([.]test[.]ts$|^tests/)' },
      to: { path: '[.]test[.]ts$' },
    },
    ...Object.entries(HOMES).map(([library, home]) => ({
      name: `home-of-${library}`,
      severity: 'error',
      from: { pathNot: home },
      to: { path: `(^|/)node_modules/(@types/)?${escape(library)}/` },
    })),
  ],
  options: {
    // TypeScript 7 has no API for tools: with its own parser the tool would see no module at all, and pass.
    parser: 'swc',
    doNotFollow: { path: '(^|/)(node_modules|dist)/' },
    exclude: { path: '((^|/)(vitest[.]config|vite[.]config)|^services/playground/public/client/)' },
    enhancedResolveOptions: { exportsFields: ['exports'], conditionNames: ['import', 'types', 'node', 'default'] },
  },
};
