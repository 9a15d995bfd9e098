export declare const root: string;
export declare function installDependencies(): void;
export declare function build(): void;
