#!/bin/bash
# Print the C program below a heading of README.
#
#   readme_example.sh README HEADING
set -euo pipefail

program=$(awk -v heading="## $2" '/^## / { here = $0 == heading } here && (sub(/^    /, "") || !NF)' "$1")
[[ $program == *"int main("* ]] || { echo "$1 has no program below '$2'" >&2; exit 1; }
printf '%s\n' "$program"
