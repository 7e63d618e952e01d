// The playground: wires editor, connection and output together; one run at a time.
import { Connection, TokenStock } from './connection.js';
import { Editor, load, save } from './editor.js';
import { explainError, explainExit } from './explain.js';
import { LiveRun } from './live-run.js';
import { Output } from './output.js';

/** @typedef {{ name: string, title: string, version: string, file_name: string, hello: string }} Language */

/**
 * @template {HTMLElement} T
 * @param {string} id
 * @param {new () => T} type
 * @returns {T}
 */
function element(id, type) {
  const found = document.getElementById(id);
  if (!(found instanceof type)) throw new Error(`no #${id}`);
  return found;
}

const languageSelect = element('language', HTMLSelectElement);
const runButton = element('run', HTMLButtonElement);
const stopButton = element('stop', HTMLButtonElement);
const eofButton = element('eof', HTMLButtonElement);
const interruptButton = element('interrupt', HTMLButtonElement);
const input = element('input', HTMLInputElement);
const statusLine = element('status', HTMLElement);
const connectionLine = element('connection', HTMLElement);
const editor = new Editor(element('code', HTMLTextAreaElement), element('gutter', HTMLElement));
const output = new Output(element('output', HTMLElement));
const tokens = new TokenStock();

/** @type {Map<string, Language>} */
const languages = new Map();
/** @type {LiveRun | undefined} */
let run;
let runCount = 0;
/** How long a run whose socket was lost can be found again, ms. */
let windowMs = 0;

const connection = new Connection({
  onFrame,
  onState: (state, why) => {
    connectionLine.dataset.state = state === 'asleep' ? 'open' : state;
    connectionLine.textContent = why;
    if (state !== 'open') onLost(state);
    updateControls();
  },
});

/** @param {string} state of the connection */
function onLost(state) {
  if (run === undefined) return;
  const end = () => endRun('bad', 'Connection lost', 'the program was stopped');
  if (state === 'connecting' && run.lose(windowMs, end))
    setStatus('warn', 'Connection lost', 'the program continues; reconnecting');
  else end();
}

/** @param {{ event: string, data: any }} frame */
function onFrame({ event, data }) {
  if (event === 'hello') {
    showLanguages(data.languages);
    windowMs = data.limits.resume_ms;
    tokens.prepare();
    run?.comeBack();
    return;
  }
  // What is left of an earlier run is not shown; an error without a name is about this page's last frame.
  if (run === undefined || (data?.run !== undefined && data.run !== run.name)) return;
  run.take({ event, data });
  if (event === 'queued') {
    setStatus('busy', 'Queued', data.position > 0 ? `position ${data.position}` : '');
  } else if (event === 'started') {
    element('version', HTMLElement).textContent =
      `${languages.get(data.language)?.title ?? data.language} · ${data.version}`;
    setStatus('busy', 'Running', '');
    updateControls();
  } else if (event === 'resumed') {
    setStatus('busy', 'Running', '');
  } else if (event === 'stdout' || event === 'stderr' || event === 'compile') {
    output.write(event, data.text);
  } else if (event === 'exit') {
    const { kind, title, detail } = explainExit(data);
    endRun(kind, title, detail);
  } else if (event === 'error') {
    onError(data);
  }
}

/** @param {{ code: string, message: string, retryable: boolean, retry_after_ms?: number }} error */
function onError(error) {
  if (run?.lost === true) endRun('bad', 'Connection lost', 'the program was stopped');
  else if (error.code === 'stdin_full') output.write('note', '(the program does not read: this input was dropped)\n');
  else endRun('bad', 'Could not run', explainError(error));
}

/** @param {Language[]} list */
function showLanguages(list) {
  const chosen = languageSelect.value || load('language');
  languages.clear();
  for (const language of list) languages.set(language.name, language);
  languageSelect.replaceChildren(...list.map((language) => new Option(language.title, language.name)));
  languageSelect.value =
    chosen !== undefined && languages.has(chosen)
      ? chosen
      : ((list.find((each) => each.name === 'python') ?? list[0])?.name ?? '');
  openLanguage();
  updateControls();
}

function openLanguage() {
  const language = languages.get(languageSelect.value);
  if (language === undefined) return;
  editor.open(language.name, language.hello);
  element('file-name', HTMLElement).textContent = language.file_name;
  element('version', HTMLElement).textContent = `${language.title} · ${language.version}`;
}

async function start() {
  if (run !== undefined || languageSelect.value === '') return;
  connection.wake();
  if (connection.state !== 'open') {
    setStatus('warn', 'Not connected yet', 'try again in a moment');
    return;
  }
  const mine = new LiveRun(`page-${++runCount}`, (event, data) => connection.send(event, data));
  run = mine;
  output.clear();
  setStatus('busy', 'Starting', '');
  updateControls();
  if (matchMedia('(pointer: fine)').matches) input.focus();
  try {
    const token = await tokens.take();
    if (run !== mine) return;
    const language = languageSelect.value;
    connection.send('run_code', { code: editor.text, language, token, run: mine.name, on_disconnect: 'keep' });
    tokens.prepare();
  } catch (error) {
    if (run === mine) endRun('bad', 'Could not run', error instanceof Error ? error.message : String(error));
  }
}

/**
 * @param {string} kind
 * @param {string} title
 * @param {string} detail
 */
function endRun(kind, title, detail) {
  const hadFocus = document.activeElement === input || document.activeElement === stopButton;
  run?.end();
  run = undefined;
  setStatus(kind, title, detail);
  updateControls();
  // A control that is switched off loses the focus: give it to something useful.
  if (hadFocus) editor.focus();
}

/**
 * @param {string} kind
 * @param {string} title
 * @param {string} detail
 */
function setStatus(kind, title, detail) {
  statusLine.dataset.kind = kind;
  const bold = document.createElement('b');
  bold.textContent = title;
  statusLine.replaceChildren(bold, detail === '' ? '' : ` — ${detail}`);
}

function updateControls() {
  const reachable = connection.state === 'open' || connection.state === 'asleep';
  languageSelect.disabled = languages.size === 0 || run !== undefined;
  runButton.disabled = !reachable || run !== undefined || languages.size === 0;
  stopButton.disabled = run === undefined;
  input.disabled = run === undefined || !run.open;
  eofButton.disabled = input.disabled;
  interruptButton.disabled = run?.started !== true;
}

function sendLine() {
  if (run === undefined || !run.open) return;
  const text = `${input.value}\n`;
  input.value = '';
  output.write('typed', text);
  run.type(text);
}

function sendEof() {
  if (run === undefined || !run.open) return;
  if (input.value !== '') {
    run.type(input.value);
    output.write('typed', input.value);
    input.value = '';
  }
  run.close();
  updateControls();
  stopButton.focus();
}

function interrupt() {
  if (run?.started === true) connection.send('signal', { name: 'SIGINT', run: run.name });
}

function stop() {
  if (run === undefined) return;
  if (!connection.send('stop', { run: run.name })) endRun('warn', 'Stopped', '');
}

runButton.addEventListener('click', () => void start());
stopButton.addEventListener('click', stop);
eofButton.addEventListener('click', sendEof);
interruptButton.addEventListener('click', interrupt);
element('reset', HTMLButtonElement).addEventListener('click', () => editor.reset());
element('clear', HTMLButtonElement).addEventListener('click', () => output.clear());
element('input-form', HTMLFormElement).addEventListener('submit', (event) => {
  event.preventDefault();
  sendLine();
});
input.addEventListener('keydown', (event) => {
  if (!event.ctrlKey || event.altKey || event.metaKey) return;
  const nothingSelected = input.selectionStart === input.selectionEnd;
  if (event.key === 'd' || (event.key === 'c' && nothingSelected)) {
    event.preventDefault();
    if (event.key === 'd') sendEof();
    else interrupt();
  }
});
addEventListener('keydown', (event) => {
  if (event.key === 'Enter' && (event.ctrlKey || event.metaKey)) {
    event.preventDefault();
    void start();
  }
});
languageSelect.addEventListener('change', () => {
  save('language', languageSelect.value);
  openLanguage();
});
// Who leaves the page does not come back for its run.
addEventListener('pagehide', () => run !== undefined && connection.send('stop', { run: run.name }));
connection.start();
