#!/bin/sh
# Makes a private CA, and certificates of gateways and workers that it signs; README.md says how they are used.
set -eu
umask 077

usage() {
  echo "usage: certificates.sh FOLDER ca              makes FOLDER/ca.pem and FOLDER/ca.key
       certificates.sh FOLDER NAME [HOST...]  makes FOLDER/NAME.pem and FOLDER/NAME.key, good for these host names and addresses
DAYS: how long it is good for; default 3650 for the CA, 365 for the others" >&2
  exit 2
}

[ $# -ge 2 ] || usage
folder=$1; name=$2; shift 2
case $name in *[!A-Za-z0-9_-]*) usage ;; esac
mkdir -p "$folder"
if [ -e "$folder/$name.key" ]; then
  echo "$folder/$name.key is there already: remove it, and $folder/$name.pem, to make new ones" >&2
  exit 1
fi
new_key() { openssl ecparam -name prime256v1 -genkey -noout -out "$1"; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

if [ "$name" = ca ]; then
  new_key "$work/key"
  openssl req -x509 -new -key "$work/key" -sha256 -days "${DAYS:-3650}" -subj "/CN=Rungrid private CA" \
    -addext basicConstraints=critical,CA:TRUE,pathlen:0 -addext keyUsage=critical,keyCertSign,cRLSign -out "$work/pem"
else
  names=
  for host in "${@:-localhost}"; do
    case $host in
      *[!A-Za-z0-9.:*-]*) usage ;;
      *:*|*[0-9].[0-9]*.[0-9]*.[0-9]*) names=$names,IP:$host ;;
      *) names=$names,DNS:$host ;;
    esac
  done
  cat >"$work/extensions" <<END
basicConstraints = critical,CA:FALSE
keyUsage = critical,digitalSignature
extendedKeyUsage = serverAuth,clientAuth
subjectAltName = ${names#,}
END
  new_key "$work/key"
  openssl req -new -key "$work/key" -sha256 -subj "/CN=$name" -out "$work/request"
  openssl x509 -req -in "$work/request" -CA "$folder/ca.pem" -CAkey "$folder/ca.key" -set_serial "0x$(openssl rand -hex 16)" \
    -sha256 -days "${DAYS:-365}" -extfile "$work/extensions" -out "$work/pem" 2>"$work/log" || { cat "$work/log" >&2; exit 1; }
fi
mv "$work/key" "$folder/$name.key"
mv "$work/pem" "$folder/$name.pem"
chmod 644 "$folder/$name.pem"
