// The playground: wires editor, connection and output together; one run at a time.
import { Client } from './client/client.js';
import { Editor, load, save } from './editor.js';
import { explainError, explainExit, FINAL_CLOSES } from './explain.js';
import { Output } from './output.js';

/** @typedef {import('./client/connection.js').ConnectionState} ConnectionState */
/** @typedef {import('./client/frames.js').RunEvent} RunEvent */
/** @typedef {import('./client/run.js').Run} Run */
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

/** @type {Map<string, Language>} */
const languages = new Map();
/** @type {Run | undefined} */
let run;
/** Whether it has started, and whether it still takes input. */
let isStarted = false;
let isOpen = false;

const socketUrl = new URL('ws', location.href);
socketUrl.protocol = socketUrl.protocol.replace('http', 'ws');
const client = new Client({ url: socketUrl.href, token: fetchToken, onState: showConnection });

/** @returns {Promise<string>} */
async function fetchToken() {
  const response = await fetch(new URL('v1/token', location.href), { method: 'POST' });
  const body = await response.json();
  if (!response.ok) throw new Error(body?.error?.message ?? `the server answered ${response.status}`);
  return body.token;
}

/** @param {ConnectionState} state */
function showConnection(state) {
  const isIdle = state.kind === 'waiting' && state.delayMs === undefined;
  connectionLine.dataset.state = isIdle ? 'open' : state.kind === 'waiting' ? 'connecting' : state.kind;
  if (state.kind === 'closed') connectionLine.textContent = FINAL_CLOSES[state.close.code] ?? 'Closed';
  else if (state.kind === 'open') connectionLine.textContent = 'Connected';
  else if (isIdle) connectionLine.textContent = 'Asleep; wakes with the next run';
  else connectionLine.textContent = state.kind === 'waiting' ? 'Reconnecting…' : 'Connecting…';
  if (state.kind === 'open') showLanguages(client.hello?.languages ?? []);
  updateControls();
}

/** @param {RunEvent} frame */
function onEvent({ event, data }) {
  switch (event) {
    case 'queued':
      setStatus('busy', 'Queued', data.position > 0 ? `position ${data.position}` : '');
      break;
    case 'started':
      element('version', HTMLElement).textContent =
        `${languages.get(data.language)?.title ?? data.language} · ${data.version}`;
      isStarted = true;
      setStatus('busy', 'Running', '');
      updateControls();
      break;
    case 'interrupted':
      setStatus('warn', 'Connection lost', 'the program continues; reconnecting');
      break;
    case 'resumed':
      setStatus('busy', 'Running', '');
      break;
    case 'gap':
      output.write('note', '(some output was lost with the connection)\n');
      break;
    case 'stdout':
    case 'stderr':
    case 'compile':
      output.write(event, data.text);
      break;
    case 'exit': {
      const { kind, title, detail } = explainExit(data);
      endRun(kind, title, detail);
      break;
    }
    case 'error':
      if (data.code === 'resume_failed') endRun('bad', 'Connection lost', 'the program was stopped');
      else endRun('bad', 'Could not run', explainError(data));
      break;
    case 'lost':
      if (isStarted) endRun('bad', 'Connection lost', 'the program was stopped');
      else endRun('bad', 'Could not run', data.message);
      break;
  }
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

function start() {
  if (run !== undefined || languageSelect.value === '') return;
  output.clear();
  setStatus('busy', 'Starting', '');
  isStarted = false;
  isOpen = true;
  const request = { code: editor.text, language: languageSelect.value, on_disconnect: /** @type {const} */ ('keep') };
  run = client.run(request, { onEvent });
  updateControls();
  if (matchMedia('(pointer: fine)').matches) input.focus();
}

/**
 * @param {string} kind
 * @param {string} title
 * @param {string} detail
 */
function endRun(kind, title, detail) {
  const hadFocus = document.activeElement === input || document.activeElement === stopButton;
  run = undefined;
  isOpen = false;
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
  const { state } = client;
  const reachable = state.kind === 'open' || (state.kind === 'waiting' && state.delayMs === undefined);
  languageSelect.disabled = languages.size === 0 || run !== undefined;
  runButton.disabled = !reachable || run !== undefined || languages.size === 0;
  stopButton.disabled = run === undefined;
  input.disabled = !isOpen;
  eofButton.disabled = input.disabled;
  interruptButton.disabled = run === undefined || !isStarted;
}

function sendLine() {
  if (run === undefined || !isOpen) return;
  const text = `${input.value}\n`;
  input.value = '';
  output.write('typed', text);
  void run.write(text);
}

function sendEof() {
  if (run === undefined || !isOpen) return;
  if (input.value !== '') {
    void run.write(input.value);
    output.write('typed', input.value);
    input.value = '';
  }
  run.closeStdin();
  isOpen = false;
  updateControls();
  stopButton.focus();
}

function interrupt() {
  if (isStarted) run?.signal('SIGINT');
}

function stop() {
  run?.stop();
}

runButton.addEventListener('click', start);
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
    start();
  }
});
languageSelect.addEventListener('change', () => {
  save('language', languageSelect.value);
  openLanguage();
});
// A page that is left does not resume its run.
addEventListener('pagehide', stop);
addEventListener('online', () => client.connect());
client.connect();
