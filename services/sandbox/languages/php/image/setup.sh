# Errors to stderr as a developer wants them: once, in plain text. No memory limit of its own: the sandbox has one.
set -eu
cat > /etc/php/8.4/cli/conf.d/99-rungrid.ini <<'INI'
display_errors = 0
log_errors = 1
error_reporting = E_ALL
html_errors = 0
memory_limit = -1
zend.exception_ignore_args = 0
INI
