# The collector of mailtrust: run it on one Exchange server, in the Exchange Management Shell, as administrator:
#     .\collect.ps1 -Output C:\mbx1.json        then, anywhere: mailtrust audit exchange --from mbx1.json
# It changes nothing. What it calls begins with Get-, but for what puts the result together, and it writes one
# file, Output. No private key is read: of each key it notes only who may read its file.
param([string]$Output = "$env:COMPUTERNAME.json")
$ErrorActionPreference = 'Stop'
$problems = @{}
function Part($name, [scriptblock]$get) { try { ,@(& $get) } catch { $problems[$name] = "$_"; $null } }
function Last($id) { ("$id" -split '/')[-1] }
function Texts($values) { ,@($values | ForEach-Object { "$_" }) }
function Time($moment) { $moment.ToUniversalTime().ToString('s') + 'Z' }
function Readers($certificate) {
    if (-not $certificate.HasPrivateKey) { return }
    $key = [Security.Cryptography.X509Certificates.RSACertificateExtensions]::GetRSAPrivateKey($certificate)
    $file = if ($key.Key) { $key.Key.UniqueName } else { $key.CspKeyContainerInfo.UniqueKeyContainerName }
    if ($file) {
        Get-ChildItem "$env:ProgramData\Microsoft\Crypto" -Recurse -Force -Filter $file | Get-Acl |
            ForEach-Object { $_.Access } | Where-Object { "$($_.AccessControlType)" -eq 'Allow' } |
            ForEach-Object { $_.IdentityReference.Translate([Security.Principal.SecurityIdentifier]).Value }
    }
}
$server = Get-ExchangeServer $env:COMPUTERNAME
$known = @{}
Part 'services' { Get-ExchangeCertificate | ForEach-Object { $known[$_.Thumbprint] = $_ } } | Out-Null
$certificates = Part 'certificates' {
    Get-ChildItem Cert:\LocalMachine\My | ForEach-Object {
        $readers = try { ,@(Readers $_) } catch { $null }
        @{ thumbprint = $_.Thumbprint; raw = [Convert]::ToBase64String($_.RawData); hasKey = $_.HasPrivateKey
           readers = $readers; services = "$($known[$_.Thumbprint].Services)"
           status = "$($known[$_.Thumbprint].Status)" } } }
$connectors = Part 'connectors' {
    Get-ReceiveConnector -Server $server.Name | ForEach-Object {
        @{ kind = 'receive'; name = "$($_.Identity)"; servers = @($server.Name); enabled = [bool]$_.Enabled
           fqdn = "$($_.Fqdn)"; tlsCertificateName = "$($_.TlsCertificateName)"; auth = "$($_.AuthMechanism)"
           bindings = Texts $_.Bindings; remoteIPRanges = Texts $_.RemoteIPRanges } }
    Get-SendConnector | ForEach-Object {
        @{ kind = 'send'; name = "$($_.Identity)"; enabled = [bool]$_.Enabled; fqdn = "$($_.Fqdn)"
           tlsCertificateName = "$($_.TlsCertificateName)"; smartHosts = Texts $_.SmartHosts
           servers = @($_.SourceTransportServers | ForEach-Object { Last $_ }) } } }
$events = Part 'events' {
    foreach ($ids in @(1035..1037), @(2017..2019), @(12012..12024), @(11005..11015), @(11016..11026)) {
        Get-WinEvent -MaxEvents 500 -ErrorAction SilentlyContinue -FilterHashtable @{
            LogName = 'Application'; Id = $ids; StartTime = (Get-Date).AddDays(-30) } |
            Where-Object { $_.ProviderName -like 'MSExchange*' } | ForEach-Object {
                @{ at = Time $_.TimeCreated; source = $_.ProviderName; id = $_.Id; message = "$($_.Message)" } } } }
$organization = Part 'organization' { "$((Get-OrganizationConfig).Name)" }
$internal = Part 'transport' { "$((Get-TransportService $server.Name).InternalTransportCertificateThumbprint)" }
$edges = Part 'edgeSubscriptions' {
    Get-EdgeSubscription | ForEach-Object { @{ name = "$($_.Name)"; site = Last $_.Site } } }
@{ schema = 'mailtrust.collected/1'; collectedAt = Time (Get-Date); server = $server.Name; fqdn = "$($server.Fqdn)"
   roles = "$($server.ServerRole)"; version = "$($server.AdminDisplayVersion)"; site = Last $server.Site
   organization = $organization; internalThumbprint = $internal; certificates = $certificates
   connectors = $connectors; edgeSubscriptions = $edges; events = $events; problems = $problems
} | ConvertTo-Json -Depth 6 | Out-File -Encoding utf8 $Output
