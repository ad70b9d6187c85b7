# Completion of collective for fish.

set -l keys site.name site.lan interfaces.implementation \
	interfaces.backbone.name interfaces.backbone.port interfaces.backbone.mtu \
	interfaces.links.name interfaces.links.port interfaces.links.mtu \
	links.with links.when links.publish_addresses isolate limits.sites log.level log.redact

complete -c collective -f
complete -c collective -l config -r -F -d 'configuration file'
complete -c collective -l state -r -a '(__fish_complete_directories)' -d 'directory of keys and state'
complete -c collective -l run -r -a '(__fish_complete_directories)' -d 'directory of the running agent'
complete -c collective -l json -d 'answer in JSON'
complete -c collective -l passphrase-file -r -F -d 'take the passphrase from a file'
complete -c collective -s h -l help -d 'explain, and do nothing'
complete -c collective -s V -l version -d 'print the version'

complete -c collective -n __fish_use_subcommand -a agent -d "run this site's agent in the foreground"
complete -c collective -n __fish_use_subcommand -a config -d 'check, explain or print the configuration'
complete -c collective -n __fish_use_subcommand -a backup -d 'save keys and state in one sealed file'
complete -c collective -n __fish_use_subcommand -a restore -d 'rebuild this site from a backup'
complete -c collective -n __fish_use_subcommand -a version -d 'print the version'
complete -c collective -n __fish_use_subcommand -a help -d 'explain a command'

complete -c collective -n '__fish_seen_subcommand_from config; and not __fish_seen_subcommand_from check example keys' \
	-a 'check example keys'
complete -c collective -n '__fish_seen_subcommand_from keys' -a "$keys"
complete -c collective -n '__fish_seen_subcommand_from check backup restore' -F
