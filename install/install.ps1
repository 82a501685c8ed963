# Installs spacetime. Where the releases are is said by SPACETIME_DOWNLOAD_ROOT, the
# address of one release, or SPACETIME_UPDATE_RELEASES_URL, that of all of them:
#
#   $env:SPACETIME_UPDATE_RELEASES_URL = '<address>'; iwr <address>/install.ps1 -useb | iex

function Install-Spacetime {
    $ErrorActionPreference = 'Stop'
    $ProgressPreference = 'SilentlyContinue'
    [Net.ServicePointManager]::SecurityProtocol = [Net.ServicePointManager]::SecurityProtocol -bor [Net.SecurityProtocolType]::Tls12

    $machine = if ($env:PROCESSOR_ARCHITEW6432) { $env:PROCESSOR_ARCHITEW6432 } else { $env:PROCESSOR_ARCHITECTURE }
    $arch = switch ($machine) {
        'AMD64' { 'x86_64' }
        'ARM64' { 'aarch64' }
        default { throw "There are no releases for the processor ${machine}: build spacetime from its source." }
    }
    $file = "spacetimedb-update-$arch-pc-windows-msvc.exe"

    $root = $env:SPACETIME_DOWNLOAD_ROOT
    if (-not $root) {
        $releases = $env:SPACETIME_UPDATE_RELEASES_URL
        if (-not $releases) { throw 'Set SPACETIME_UPDATE_RELEASES_URL to the address of the releases.' }
        $releases = $releases.TrimEnd('/')
        $text = (New-Object Net.WebClient).DownloadString("$releases/releases")
        $version = $text -split "\s+" | Where-Object { $_ -and $_ -notmatch '-' } | Select-Object -Last 1
        if (-not $version) { throw "There is no list of releases at $releases/releases." }
        $root = "$releases/v$($version.TrimStart('v'))"
    }

    $directory = Join-Path ([IO.Path]::GetTempPath()) ([IO.Path]::GetRandomFileName())
    New-Item -ItemType Directory -Path $directory | Out-Null
    try {
        # By this name the program knows what to do.
        $program = Join-Path $directory 'spacetime-install.exe'
        Write-Host "Downloading $root/$file"
        Invoke-WebRequest -UseBasicParsing -Uri "$root/$file" -OutFile $program
        $sums = (New-Object Net.WebClient).DownloadString("$root/SHA256SUMS")
        $wanted = $sums -split "`n" | ForEach-Object { $_.Trim() } | Where-Object { $_ -match "^([0-9a-f]{64}) [ *]$([regex]::Escape($file))$" } | ForEach-Object { $Matches[1] }
        if (-not $wanted) { throw "$root/SHA256SUMS does not name $file." }
        if ((Get-FileHash -Algorithm SHA256 $program).Hash -ne $wanted) { throw "The checksum of $file is wrong. Nothing has been installed." }
        & $program
        if ($LASTEXITCODE -ne 0) { throw "The installer ended with code $LASTEXITCODE." }
    } finally {
        Remove-Item -Recurse -Force $directory
    }

    $bin = Join-Path $env:LocalAppData 'SpacetimeDB'
    $path = [Environment]::GetEnvironmentVariable('Path', 'User')
    if (($path -split ';') -notcontains $bin) {
        [Environment]::SetEnvironmentVariable('Path', (@($path, $bin) | Where-Object { $_ }) -join ';', 'User')
        Write-Host "$bin has been added to your Path. Open a new terminal to use spacetime by its name."
    }
}

Install-Spacetime
