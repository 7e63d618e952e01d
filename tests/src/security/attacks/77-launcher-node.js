// expect: nothing of the warm launcher is left in node: no module, handle, listener, option or descriptor that gives anything away
// check: status=ok stdout!~/LEAK/ stdout~/^done$/
const fs = require('fs');
const say = (ok, ...rest) => console.log(ok ? 'SAFE' : 'LEAK', ...rest);
say(!Object.keys(require.cache).some((key) => key.includes('rungrid')), 'cache', Object.keys(require.cache));
say(!Object.keys(module.constructor._pathCache).some((key) => key.includes('rungrid')), 'paths');
say(process.execArgv.length === 0, 'execArgv', process.execArgv);
say(process.argv.length === 2, 'argv', process.argv);
say((process._preload_modules || []).length === 0, 'preload');
say(!module.children.concat(module.parent?.children ?? []).some((each) => /warm|rungrid/.test(each.id)), 'tree');
say(!Object.keys(process.env).some((key) => /RUNGRID|TOKEN|KEY|SECRET/i.test(key)), 'env', Object.keys(process.env));
for (const event of process.eventNames())
  say(!/SIG|exit|uncaught/.test(String(event)), 'listener', String(event), process.listenerCount(event));
say(
  process._getActiveHandles().every((each) => each.fd === undefined || each.fd <= 2),
  'handles',
);
say(process._getActiveRequests().length === 0, 'requests');
for (const name of ['fs', 'tcp_wrap', 'pipe_wrap', 'spawn_sync', 'process_wrap', 'contextify', 'natives']) {
  let binding;
  try {
    binding = process.binding(name);
  } catch {
    continue;
  }
  say(!JSON.stringify(Object.keys(binding)).includes('rungrid'), 'binding', name);
}
for (const fd of fs.readdirSync('/proc/self/fd').map(Number)) {
  let target = '';
  try {
    target = fs.readlinkSync(`/proc/self/fd/${fd}`);
  } catch {}
  say(fd <= 2 ? target.startsWith('pipe:') : !/^\/(?!dev\/null|proc)|^socket/.test(target), 'fd', fd, target);
}
try {
  fs.writeSync(3, '1.2.3\n');
  console.log('LEAK wrote to the control socket');
} catch {
  console.log('SAFE no control socket');
}
console.log('done');
