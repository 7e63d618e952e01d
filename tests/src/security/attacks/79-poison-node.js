// expect: changed globals, modules and start files reach no other run: run twice, the second run finds none of them
// check: status=ok stdout!~/CAUGHT|LEAK/ stdout~/^done$/ after=run_twice
const fs = require('fs');
if (globalThis.caught || fs.existsSync('/tmp/node_modules') || Object.prototype.caught) console.log('LEAK');
globalThis.caught = true;
const trap = 'process.stdout.write("CAUGHT\\n"); module.exports = {};';
for (const folder of [
  '/tmp/node_modules',
  '/tmp/.node_modules',
  '/tmp/.node_libraries',
  '/rungrid/language',
  '/usr/lib/node_modules',
  '/',
]) {
  try {
    fs.mkdirSync(folder, { recursive: true });
    for (const name of ['fs.js', 'warm.js', 'worker_threads.js', 'package.json', '.noderc.js'])
      fs.writeFileSync(`${folder}/${name}`, trap);
    console.log('wrote', folder);
  } catch (error) {
    console.log('SAFE', folder, error.code);
  }
}
process.env.NODE_OPTIONS = '--require /tmp/node_modules/warm.js';
const { write } = process.stdout;
Object.prototype.caught = true;
Array.prototype[Symbol.iterator] = function* () {
  yield 'x';
};
Promise.prototype.then = () => 'CAUGHT';
write.call(process.stdout, 'done\n');
