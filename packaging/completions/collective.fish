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
complete -c collective -l name -x -d "name of this site"
complete -c collective -l endpoint -x -d "where friends call this hub"
complete -c collective -l supernet -x -d "the collective's own network"
complete -c collective -l subnet -x -d "part of it for the friend's site"
complete -c collective -l tag -x -d "a word that policies go by"
complete -c collective -l route -x -d "a network of the friend's home"
complete -c collective -l expires -x -d "how long the invite is good for"
complete -c collective -l watch -d 'show it again every two seconds'
complete -c collective -l approve -d 'let nobody in before it is approved'
complete -c collective -l no-start -d 'write the state and start no agent'
complete -c collective -l qr -d 'draw the invite as well'
complete -c collective -l force -d 'do it although others lose by it'
complete -c collective -l for -x -d 'how long the link is wanted'
complete -c collective -s h -l help -d 'explain, and do nothing'
complete -c collective -s V -l version -d 'print the version'


complete -c collective -n __fish_use_subcommand -a admin -d 'offer to be an admin, add or remove one'
complete -c collective -n __fish_use_subcommand -a root -d 'keep the root key elsewhere, or take it back'
complete -c collective -n __fish_use_subcommand -a route -d 'announce networks of this home, or no more'
complete -c collective -n __fish_use_subcommand -a doctor -d 'look what may stand in the way'
complete -c collective -n __fish_use_subcommand -a netcheck -d 'say how this site stands towards the internet'
complete -c collective -n __fish_use_subcommand -a link -d 'ask for a direct link with a member'
complete -c collective -n __fish_use_subcommand -a unlink -d 'end the direct link with a member'
complete -c collective -n __fish_use_subcommand -a why -d 'say why a member is reached the way it is'
complete -c collective -n __fish_use_subcommand -a ping -d 'ask a member how far it is'
complete -c collective -n __fish_use_subcommand -a init -d "found a collective"
complete -c collective -n __fish_use_subcommand -a invite -d "make an invite for a friend"
complete -c collective -n __fish_use_subcommand -a invites -d "list the invites"
complete -c collective -n __fish_use_subcommand -a uninvite -d "withdraw an invite"
complete -c collective -n __fish_use_subcommand -a approve -d "say yes to a site that waits for it"
complete -c collective -n __fish_use_subcommand -a join -d "join a collective by an invite"
complete -c collective -n __fish_use_subcommand -a status -d "show the members"
complete -c collective -n __fish_use_subcommand -a expel -d "expel a member"
complete -c collective -n __fish_use_subcommand -a leave -d "leave the collective"
complete -c collective -n __fish_use_subcommand -a rotate -d "change this site's keys"
complete -c collective -n __fish_use_subcommand -a endpoint -d "say where friends call this hub"
complete -c collective -n __fish_use_subcommand -a events -d "show what happened to this site"
complete -c collective -n __fish_use_subcommand -a up -d "start the agent"
complete -c collective -n __fish_use_subcommand -a down -d "end the agent and take everything of its away"
complete -c collective -n __fish_use_subcommand -a agent -d "run this site in the foreground"
complete -c collective -n __fish_use_subcommand -a config -d "check, explain or print the configuration"
complete -c collective -n __fish_use_subcommand -a backup -d "save keys and state in one sealed file"
complete -c collective -n __fish_use_subcommand -a restore -d "rebuild this site from a backup"
complete -c collective -n __fish_use_subcommand -a version -d "print the version"
complete -c collective -n __fish_use_subcommand -a help -d "explain a command"

complete -c collective -n '__fish_seen_subcommand_from endpoint route' -a 'add remove'
complete -c collective -n '__fish_seen_subcommand_from root; and not __fish_seen_subcommand_from export import remove' -a 'export import remove'
complete -c collective -n '__fish_seen_subcommand_from export import' -F
complete -c collective -n '__fish_seen_subcommand_from admin' -a 'offer add remove'
complete -c collective -n '__fish_seen_subcommand_from config; and not __fish_seen_subcommand_from check example keys' \
	-a 'check example keys'
complete -c collective -n '__fish_seen_subcommand_from keys' -a "$keys"
complete -c collective -n '__fish_seen_subcommand_from check backup restore' -F
